//! How often each route of the API was asked, so that a benchmark can tell.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use crate::state::App;

/// Counts a request under its method and route, such as `GET /repos/{owner}/{repo}/commits/{reference}`.
pub(crate) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("unknown", MatchedPath::as_str);
    let name = format!("{} {route}", request.method());
    *app.data().counted.entry(name).or_default() += 1;
    next.run(request).await
}
