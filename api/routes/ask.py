"""The page of planners: a form for each process, made from its description."""

from fastapi import APIRouter, Response

from api.routes.map import POLICY, WEB, file_of

router = APIRouter(include_in_schema=False)


@router.get("/ask")
def ask() -> Response:
    """The page."""
    return file_of(WEB, "ask.html", {"Content-Security-Policy": POLICY})
