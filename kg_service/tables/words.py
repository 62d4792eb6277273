"""What is wrong with a cell, and what would be right, in the languages of those who send tables."""

from __future__ import annotations

LANGUAGES = ("en", "es", "fr")

_WORDS = {
    "needed": (
        "it is needed: {what}",
        "falta, y es obligatorio: la explicación de la columna dice qué se espera",
        "il manque, et il est obligatoire : l’explication de la colonne dit ce qui est attendu",
    ),
    "twice": (
        "a name of its own: row {row} has the same",
        "un nombre propio: la fila {row} tiene el mismo",
        "un nom à soi : la ligne {row} porte le même",
    ),
    "plain": (
        "text without formulas and control characters",
        "un texto sin fórmulas ni caracteres de control",
        "un texte sans formules ni caractères de contrôle",
    ),
    "key": (
        "a name with letters or digits, of which its address can be made",
        "un nombre con letras o cifras, del que se pueda hacer su dirección",
        "un nom avec des lettres ou des chiffres, dont on puisse faire son adresse",
    ),
    "day-first": (
        "day before month: 31/12/2019, or 2019-12-31",
        "el día antes del mes: 31/12/2019, o 2019-12-31",
        "le jour avant le mois : 31/12/2019, ou 2019-12-31",
    ),
    "date": (
        "a year, a month or a day: 2019, 2019-12, 2019-12-31, 31/12/2019 or 31 December 2019",
        "un año, un mes o un día: 2019, 2019-12, 2019-12-31, 31/12/2019 o 31 de diciembre de 2019",
        "une année, un mois ou un jour : 2019, 2019-12, 2019-12-31, 31/12/2019 ou 31 décembre 2019",
    ),
    "month": (
        "a month from 1 to 12, as in 2019-12",
        "un mes del 1 al 12, como en 2019-12",
        "un mois de 1 à 12, comme dans 2019-12",
    ),
    "day": (
        "a day that exists, as in 2019-12-31",
        "un día que exista, como en 2019-12-31",
        "un jour qui existe, comme dans 2019-12-31",
    ),
    "language": (
        "a language tag such as en, es or fr",
        "una etiqueta de idioma, como en, es o fr",
        "une étiquette de langue, comme en, es ou fr",
    ),
    "integer": (
        "a whole number, such as 12",
        "un número entero, como 12",
        "un nombre entier, comme 12",
    ),
    "decimal": (
        "a number, such as 12 or 12.5",
        "un número, como 12 o 12.5",
        "un nombre, comme 12 ou 12.5",
    ),
    "degrees": (
        "degrees from -{most} to {most}, such as 12.345",
        "grados de -{most} a {most}, como 12.345",
        "des degrés de -{most} à {most}, comme 12.345",
    ),
    "nothing": (
        "something known: there is no {thing}",
        "algo conocido: no hay {thing}",
        "quelque chose de connu : il n’y a pas de {thing}",
    ),
    "address": (
        "a web address, such as https://example.org",
        "una dirección web, como https://example.org",
        "une adresse web, comme https://example.org",
    ),
    "entry": ("one of: {entries}", "uno de: {entries}", "l’un de : {entries}"),
    "spaces": (
        "a web address without spaces",
        "una dirección web sin espacios",
        "une adresse web sans espaces",
    ),
    "several": (
        "one of these addresses, for the name is that of several: {addresses}",
        "una de estas direcciones, pues varios tienen este nombre: {addresses}",
        "l’une de ces adresses, car plusieurs portent ce nom : {addresses}",
    ),
    "thing": (
        "the name of a known {types}, or its address, such as {example}",
        "el nombre de algo conocido del tipo {types}, o su dirección, como {example}",
        "le nom d’une chose connue du type {types}, ou son adresse, comme {example}",
    ),
    "country": (
        "a country by its ISO code or its name in English, Spanish or French, such as MX or Mexico",
        "un país por su código ISO o su nombre en inglés, español o francés, como MX o México",
        "un pays par son code ISO ou son nom en anglais, espagnol ou français, comme MX ou Mexique",
    ),
}


def right(key: str, language: str, **values: object) -> str:
    """What would be right, in words; `values` are put in by name."""
    return _WORDS[key][LANGUAGES.index(language)].format(**values)


class Unusable(ValueError):
    """A text that means nothing in its column; it can say what would be right in each language."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(right(key, LANGUAGES[0], **values))
        self._key, self._values = key, values

    def right(self, language: str) -> str:
        return right(self._key, language, **self._values)
