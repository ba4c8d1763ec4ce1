//! A meter before DynamoDB: passes requests on and adds up the units that AWS would bill for them.
//!
//! Requests pass unchanged, for they are signed. So the old item behind a write is not known: its size counts as the
//! new one's, and an entry of the index `due` counts as moved wherever there may have been one before. Both err on the
//! dear side.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::Context;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::client::Client;
use crate::statistics::count;

/// What a read unit reads, in bytes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).
const READ_UNIT: usize = 4096;

/// What a write unit writes, in bytes (the same page).
const WRITE_UNIT: usize = 1024;

/// Units as on-demand tables bill them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Units {
    /// Read request units.
    pub(crate) read: f64,
    /// Write request units.
    pub(crate) write: f64,
}

/// A meter that serves until this process ends.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    client: Client,
    /// The local AWS, which starts after its functions must know of the meter.
    behind: OnceLock<String>,
    units: Mutex<Units>,
}

impl Meter {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no port.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared =
            Arc::new(Shared { client: Client::new(), behind: OnceLock::new(), units: Mutex::default() });
        let router = Router::new().fallback(pass_on).with_state(Arc::clone(&shared));
        let served = axum::serve(listener, router);
        tokio::spawn(async move { served.await });
        Ok(Self { url, shared })
    }

    /// Where functions find DynamoDB.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Says where the local AWS is.
    pub(crate) fn stands_before(&self, aws: String) {
        // A meter belongs to one cloud; a second address is the same one.
        let _ = self.shared.behind.set(aws);
    }

    /// The units since the last call.
    pub(crate) fn take(&self) -> Units {
        std::mem::take(&mut self.shared.units.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    match metered(&shared, &headers, &body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, format!("{error:#}")).into_response(),
    }
}

async fn metered(shared: &Shared, headers: &HeaderMap, body: &Bytes) -> anyhow::Result<Response> {
    let behind = shared.behind.get().context("the meter stands before nothing yet")?;
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    let asked: Value = serde_json::from_slice(body)?;
    let mut request = Request::post(format!("{behind}/"));
    for (name, value) in headers.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
        request = request.header(name, value);
    }
    let answer = shared.client.send(request.body(Full::new(body.clone()))?).await?;
    let answered: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let units = units_of(&operation, &asked, &answered);
    {
        let mut sum = shared.units.lock().unwrap_or_else(PoisonError::into_inner);
        sum.read += units.read;
        sum.write += units.write;
    }
    let response = Response::builder()
        .status(answer.status)
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.0")
        .body(Body::from(answer.body))?;
    Ok(response)
}

/// The units of one request.
fn units_of(operation: &str, asked: &Value, answered: &Value) -> Units {
    let consistent = if asked["ConsistentRead"] == json!(true) { 1.0 } else { 0.5 };
    match operation {
        "GetItem" => Units { read: consistent * read_units(size(&answered["Item"])), write: 0.0 },
        "Query" => {
            let items = answered["Items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let read = consistent * read_units(items.iter().map(size).sum());
            Units { read, write: 0.0 }
        }
        "BatchGetItem" => Units { read: batch_units(asked, answered), write: 0.0 },
        "PutItem" => Units { read: 0.0, write: write_units(&asked["Item"]) + index_units(&asked["Item"]) },
        "TransactWriteItems" => {
            let items = asked["TransactItems"].as_array().map(Vec::as_slice).unwrap_or_default();
            // Twice for the transaction; the index follows by itself.
            let units = items.iter().map(|item| &item["Put"]["Item"]);
            Units { read: 0.0, write: units.map(|item| 2.0 * write_units(item) + index_units(item)).sum() }
        }
        // Updates touch deliveries only, which are small.
        _ => Units { read: 0.0, write: 1.0 },
    }
}

/// Every item of a batch is a read of its own, also one that is not there.
fn batch_units(asked: &Value, answered: &Value) -> f64 {
    let tables = asked["RequestItems"].as_object().into_iter().flatten();
    tables
        .map(|(table, keys)| {
            let consistent = if keys["ConsistentRead"] == json!(true) { 1.0 } else { 0.5 };
            let found = answered["Responses"][table].as_array().map(Vec::as_slice).unwrap_or_default();
            let missing = keys["Keys"].as_array().map_or(0, Vec::len).saturating_sub(found.len());
            let units = found.iter().map(|item| read_units(size(item))).sum::<f64>() + count(missing);
            consistent * units
        })
        .sum()
}

fn write_units(item: &Value) -> f64 {
    count(size(item).div_ceil(WRITE_UNIT).max(1))
}

/// An entry is written where the item is due; where it may have been due before at another time, one is removed too.
fn index_units(item: &Value) -> f64 {
    let is_due = !item["due_pk"].is_null();
    let was_due = item["sk"]["S"] == json!("head") && item["version"]["N"] != json!("1");
    f64::from(u8::from(is_due)) + f64::from(u8::from(was_due))
}

fn read_units(bytes: usize) -> f64 {
    count(bytes.div_ceil(READ_UNIT).max(1))
}

/// An item's size: its names and values; a number takes a byte for two digits and one more
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>).
fn size(item: &Value) -> usize {
    let attribute = |(name, value): (&String, &Value)| {
        let value = match (value["S"].as_str(), value["N"].as_str()) {
            (Some(text), _) => text.len(),
            (None, Some(number)) => number.len().div_ceil(2) + 1,
            // Our items hold texts and numbers only.
            (None, None) => 1,
        };
        name.len() + value
    };
    item.as_object().into_iter().flatten().map(attribute).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: usize) -> Value {
        json!({ "body": { "S": "x".repeat(bytes - 4) } })
    }

    #[test]
    fn reads_are_billed_by_size_and_consistency() {
        let consistent = json!({ "ConsistentRead": true });
        for (operation, asked, answered, expect) in [
            ("GetItem", &consistent, json!({}), 1.0),
            ("GetItem", &consistent, json!({ "Item": item(4096) }), 1.0),
            ("GetItem", &consistent, json!({ "Item": item(4097) }), 2.0),
            ("GetItem", &json!({}), json!({ "Item": item(100) }), 0.5),
            ("Query", &consistent, json!({ "Items": [item(3000), item(3000)] }), 2.0),
            ("Query", &json!({}), json!({ "Items": [] }), 0.5),
        ] {
            assert_eq!(
                units_of(operation, asked, &answered),
                Units { read: expect, write: 0.0 },
                "{operation}"
            );
        }
    }

    #[test]
    fn every_key_of_a_batch_is_a_read() {
        let asked = json!({ "RequestItems": { "t": { "Keys": [1, 2, 3], "ConsistentRead": true } } });
        let answered = json!({ "Responses": { "t": [item(5000)] } });

        assert_eq!(units_of("BatchGetItem", &asked, &answered), Units { read: 4.0, write: 0.0 });
    }

    #[test]
    fn writes_are_billed_by_size_transaction_and_index() {
        let head = |version: &str, due: bool| {
            let mut item = json!({ "sk": { "S": "head" }, "version": { "N": version } });
            if due {
                item["due_pk"] = json!({ "S": "run" });
            }
            item
        };
        let put = |item: Value| json!({ "Item": item });
        let both = json!({ "TransactItems": [{ "Put": put(item(1025)) }, { "Put": put(head("7", true)) }] });
        for (operation, asked, expect) in [
            ("PutItem", put(item(1024)), 1.0),
            ("PutItem", put(item(1025)), 2.0),
            ("PutItem", put(head("1", true)), 2.0),
            ("PutItem", put(head("7", true)), 3.0),
            ("PutItem", put(head("7", false)), 2.0),
            ("TransactWriteItems", both, 4.0 + 2.0 + 2.0),
            ("UpdateItem", json!({}), 1.0),
        ] {
            assert_eq!(
                units_of(operation, &asked, &Value::Null),
                Units { read: 0.0, write: expect },
                "{asked}"
            );
        }
    }

    #[test]
    fn sizes_count_names_texts_and_numbers() {
        assert_eq!(size(&json!({ "pk": { "S": "run#1" }, "version": { "N": "123" } })), 2 + 5 + 7 + 3);
        assert_eq!(size(&Value::Null), 0);
    }
}
