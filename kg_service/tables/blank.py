"""The blank table of a template: a workbook with its header, what each column means, and the entries of its lists."""

from __future__ import annotations

import io

from kg_service.ontology import Ontology
from kg_service.tables.mapping import Template
from kg_service.tables.values import Known

#: Rows that get the lists of a column, and characters that a list may have (ECMA-376).
_ROWS, _LISTED = 1_000, 255


def workbook(template: Template, ontology: Ontology) -> bytes:
    """The workbook as bytes: a sheet to fill in, and one that explains its columns."""
    from openpyxl import Workbook  # which loads numpy where that is installed
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book, known = Workbook(), Known(ontology)
    sheet = book.active
    assert sheet is not None
    sheet.title = template.name
    sheet.append([each.name for each in template.columns])
    sheet.freeze_panes = "A2"
    about = book.create_sheet("columns")
    about.append(["column", "needed", "meaning", "example", "one of"])
    for number, column in enumerate(template.columns, 1):
        cell, letter = sheet.cell(1, number), get_column_letter(number)
        cell.font = Font(bold=column.is_required)
        sheet.column_dimensions[letter].width = 24
        entries = known.entries(column.of[0]) if column.kind == "entry" else []
        about.append(
            [column.name, "yes" if column.is_required else "", column.help, column.example, ", ".join(entries)]
        )
        listed = f'"{",".join(entries)}"'
        if entries and len(listed) <= _LISTED:
            choices = DataValidation(type="list", formula1=listed, allow_blank=True, showErrorMessage=False)
            choices.add(f"{letter}2:{letter}{_ROWS}")
            sheet.add_data_validation(choices)
    for cell in about[1]:
        cell.font = Font(bold=True)
    for letter, width in zip("ABCDE", (18, 8, 70, 30, 70), strict=True):
        about.column_dimensions[letter].width = width
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()
