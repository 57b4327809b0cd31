"""The refusals of GitHub's REST API, with its own words and shapes."""

from __future__ import annotations

from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"


class GitHubApiError(Exception):
    """An answer that is not a success; ``status`` is also in the body, as a string."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[dict[str, Any]] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        body: dict[str, Any] = {"message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return body | {"documentation_url": DOCUMENTATION, "status": str(self.status)}


def not_found_error() -> GitHubApiError:
    return GitHubApiError(404, "Not Found")


def bad_credentials() -> GitHubApiError:
    return GitHubApiError(401, "Bad credentials")


def authentication_error() -> GitHubApiError:
    return GitHubApiError(401, "Requires authentication")


def invalid_json() -> GitHubApiError:
    return GitHubApiError(400, "Problems parsing JSON")


def invalid_request(problem: str) -> GitHubApiError:
    """The body does not fit the schema of the operation."""
    return GitHubApiError(422, f"Invalid request.\n\n{problem}")


def missing_field(name: str) -> GitHubApiError:
    return invalid_request(f'"{name}" wasn\'t supplied.')


def wrong_type(name: str, value: Any, kind: str) -> GitHubApiError:
    return invalid_request(f"For 'properties/{name}', {value!r} is not {kind}.")


def validation_error(
    resource: str, field: str, code: str = "invalid", message: str = "", value: Any = None
) -> GitHubApiError:
    """``code``: missing, missing_field, invalid, already_exists, unprocessable or custom (with a message)."""
    error: dict[str, Any] = {"resource": resource, "code": code, "field": field}
    if message:
        error["message"] = message
    if value is not None:
        error["value"] = value
    return GitHubApiError(422, "Validation Failed", [error])


def too_long(resource: str, field: str, limit: int) -> GitHubApiError:
    return validation_error(resource, field, "custom", f"{field} is too long (maximum is {limit} characters)")
