//! The page for people at `/`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Html;
use axum::routing::get;

use crate::state::App;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/", get(show))
}

async fn show(State(_app): State<Arc<App>>) -> Html<String> {
    Html(String::new())
}
