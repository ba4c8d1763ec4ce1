//! The App's deliveries: listed, shown, sent again.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Caller;
use crate::answer::{Answer, Problem, ok, with_link};
use crate::installation_tokens::only_app;
use crate::state::App;
use crate::webhook::redeliver;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/app/hook/deliveries", get(list))
        .route("/app/hook/deliveries/{id}", get(show))
        .route("/app/hook/deliveries/{id}/attempts", post(again))
}

#[derive(Deserialize)]
struct Filter {
    per_page: Option<usize>,
    /// Opaque to the client: the number of the delivery the page begins with.
    cursor: Option<String>,
    status: Option<String>,
}

async fn list(State(app): State<Arc<App>>, caller: Caller, Query(filter): Query<Filter>) -> Answer {
    only_app(&caller)?;
    let first = match filter.cursor.as_deref().map(|cursor| cursor.trim_start_matches('v').parse::<u64>()) {
        None => u64::MAX,
        Some(Ok(id)) => id,
        Some(Err(_)) => return Err(Problem::unprocessable("Invalid cursor")),
    };
    let per_page = filter.per_page.unwrap_or(30).clamp(1, 100);
    let wanted = |summary: &Value| match filter.status.as_deref() {
        Some("success") => summary["status_code"].as_u64().is_some_and(|code| (200..400).contains(&code)),
        Some("failure") => summary["status_code"].as_u64().is_some_and(|code| !(200..400).contains(&code)),
        _ => true,
    };
    let mut found: Vec<Value> = {
        let data = app.data();
        let newest_first = data.deliveries.iter().rev().filter(|known| known.id <= first);
        newest_first.map(crate::webhook::Delivery::summary).filter(wanted).take(per_page + 1).collect()
    };
    let next = (found.len() > per_page).then(|| found.pop()).flatten();
    let link = next.and_then(|next| {
        let address =
            format!("{}/app/hook/deliveries?per_page={per_page}&cursor=v{}", app.base_url(), next["id"]);
        HeaderValue::from_str(&format!("<{address}>; rel=\"next\"")).ok()
    });
    Ok(with_link(ok(Value::Array(found)), link))
}

async fn show(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<u64>) -> Answer {
    only_app(&caller)?;
    let found = app.data().deliveries.iter().find(|known| known.id == id).map(crate::webhook::Delivery::full);
    Ok(ok(found.ok_or_else(Problem::not_found)?))
}

async fn again(State(app): State<Arc<App>>, caller: Caller, Path(id): Path<u64>) -> Answer {
    only_app(&caller)?;
    if !redeliver(&app, id) {
        return Err(Problem::not_found());
    }
    Ok((StatusCode::ACCEPTED, Json(json!({}))).into_response())
}
