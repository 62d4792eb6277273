"""The collections under `/api`: what each holds is declared in `queries/lists/`, and no code names one of them."""
