//! Lists of builds, a hundred at a time.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Refusal;

const LENGTH: usize = 100;

/// What a list is asked with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ListRequest {
    pub(crate) project_name: String,
    sort_order: Option<String>,
    next_token: Option<String>,
}

/// One page of `ids`, which come oldest first. The token names the last id given, so that builds started
/// between two pages neither shift nor repeat the rest.
pub(crate) fn page(mut ids: Vec<String>, request: &ListRequest) -> Result<Value, Refusal> {
    match request.sort_order.as_deref() {
        Some("ASCENDING") => {}
        None | Some("DESCENDING") => ids.reverse(),
        Some(other) => return Err(Refusal::invalid(format!("Invalid sort order: {other}"))),
    }
    let start = match &request.next_token {
        None => 0,
        Some(last) => {
            let position = ids.iter().position(|id| id == last);
            position.ok_or_else(|| Refusal::invalid("Invalid next token"))? + 1
        }
    };
    let more = ids.len() > start + LENGTH;
    let ids: Vec<String> = ids.into_iter().skip(start).take(LENGTH).collect();
    let mut answer = json!({ "ids": ids });
    if let Some(last) = ids.last().filter(|_| more) {
        answer["nextToken"] = json!(last);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{ListRequest, page};

    #[test]
    fn pages_follow_each_other_without_gap_or_repetition() {
        let ids: Vec<String> = (0..150).map(|number| format!("p:{number}")).collect();
        let first = page(ids.clone(), &ListRequest::default()).expect("a page");
        assert_eq!(first["ids"].as_array().map(Vec::len), Some(100));
        assert_eq!(first["ids"][0], "p:149");
        let next_token = first["nextToken"].as_str().map(str::to_owned);
        // A build that starts meanwhile comes first in the list.
        let mut later = ids;
        later.push("p:150".to_owned());
        let second = page(later, &ListRequest { next_token, ..ListRequest::default() }).expect("a page");
        assert_eq!(second["ids"][0], "p:49");
        assert_eq!(second["ids"].as_array().map(Vec::len), Some(50));
        assert!(second.get("nextToken").is_none());
    }

    #[test]
    fn a_wrong_order_or_token_is_refused() {
        let order = ListRequest { sort_order: Some("UP".to_owned()), ..ListRequest::default() };
        assert!(page(Vec::new(), &order).is_err());
        let token = ListRequest { next_token: Some("x".to_owned()), ..ListRequest::default() };
        assert!(page(Vec::new(), &token).is_err());
    }
}
