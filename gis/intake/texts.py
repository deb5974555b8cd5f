"""Text of typed values of binary formats, as a person would have written it."""


def number_text(value: float) -> str:
    """The shortest text that gives the number back; empty for NaN."""
    if value != value:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
