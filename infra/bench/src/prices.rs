//! What AWS asks for: `prices.json`, and what an amount of use costs by it.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;

/// List prices, kept beside this crate with the source and the date of each.
const FILE: &str = include_str!("../prices.json");

/// Amounts by the names of `prices.json`.
pub(crate) type Usage = BTreeMap<String, f64>;

/// The prices of one region.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Prices {
    /// The region they hold in.
    pub(crate) region: String,
    prices: BTreeMap<String, Price>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Price {
    /// The service as a bill names it.
    service: String,
    /// US dollars …
    dollars: f64,
    /// … for so many units.
    #[serde(rename = "for")]
    units: f64,
}

/// What something costs, by service, in US dollars.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Bill {
    /// Dollars by service.
    pub(crate) services: BTreeMap<String, f64>,
}

impl Bill {
    /// All of it.
    pub(crate) fn total(&self) -> f64 {
        self.services.values().sum()
    }
}

impl Prices {
    /// The prices kept beside this crate.
    ///
    /// # Errors
    /// When the file is broken.
    pub(crate) fn listed() -> anyhow::Result<Self> {
        serde_json::from_str(FILE).context("reading infra/bench/prices.json")
    }

    /// What `times` such usages cost.
    ///
    /// # Errors
    /// When something has no price: it must not count as free by accident.
    pub(crate) fn bill(&self, usage: &Usage, times: f64) -> anyhow::Result<Bill> {
        let mut bill = Bill::default();
        for (name, amount) in usage {
            let price =
                self.prices.get(name).with_context(|| format!("infra/bench/prices.json has no `{name}`"))?;
            *bill.services.entry(price.service.clone()).or_default() +=
                amount * times * price.dollars / price.units;
        }
        Ok(bill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(amounts: &[(&str, f64)]) -> Usage {
        amounts.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
    }

    #[test]
    fn amounts_are_priced_by_service() {
        let prices: Prices = serde_json::from_str(
            r#"{"region": "somewhere", "prices": {
                "read": {"service": "Table", "dollars": 0.25, "for": 1000},
                "write": {"service": "Table", "dollars": 1.0, "for": 1000},
                "message": {"service": "Queue", "dollars": 0.5, "for": 1}}}"#,
        )
        .expect("prices");

        let bill =
            prices.bill(&usage(&[("read", 4.0), ("write", 2.0), ("message", 3.0)]), 1000.0).expect("a bill");

        let expected = [("Queue", 1500.0), ("Table", 3.0)].map(|(name, dollars)| (name.to_owned(), dollars));
        assert_eq!(bill, Bill { services: expected.into() });
        assert_eq!(bill.total().to_bits(), 1503.0_f64.to_bits());
    }

    #[test]
    fn what_has_no_price_is_not_free() {
        let prices = Prices::listed().expect("the file");

        let error = prices.bill(&usage(&[("teleport", 1.0)]), 1.0).expect_err("no price").to_string();

        assert!(error.contains("`teleport`"), "{error}");
    }

    #[test]
    fn each_listed_price_names_its_source_and_day() {
        let file: serde_json::Value = serde_json::from_str(FILE).expect("the file");
        for (name, price) in file["prices"].as_object().expect("prices") {
            for field in ["source", "quoted_by"] {
                assert!(
                    price[field].as_str().is_some_and(|url| url.starts_with("https://")),
                    "{field} of {name}"
                );
            }
            assert_eq!(price["looked_up"].as_str().map(str::len), Some("2026-11-25".len()), "{name}");
        }
    }
}
