//! What the API answers when it refuses: CodeBuild's own error names.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::json;

/// A refusal with the name that AWS's clients match on.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    name: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, name: &'static str, message: impl Into<String>) -> Self {
        Self { status, name, message: message.into() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidInputException", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ResourceNotFoundException", message)
    }

    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "AccountLimitExceededException", message)
    }

    pub(crate) fn throttled() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded")
    }

    pub(crate) fn not_signed() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        )
    }

    pub(crate) fn unknown_operation() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "UnknownOperationException", "")
    }

    pub(crate) fn internal(error: &anyhow::Error) -> Self {
        tracing::error!("CodeBuild: {error:#}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure", "the local cloud failed; see its log")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = json!({ "__type": self.name, "message": self.message });
        (self.status, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string())
            .into_response()
    }
}
