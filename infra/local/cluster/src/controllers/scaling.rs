//! Arithmetic of a rolling update: how many replicas a set may have, as Kubernetes counts.

use serde_json::Value;

use crate::objects::json::integer;

/// The numbers a deployment allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Replicas asked for.
    pub replicas: i64,
    /// Pods above that number.
    pub surge: i64,
    /// Pods below that number.
    pub unavailable: i64,
}

impl Limits {
    /// Reads the strategy of a deployment.
    pub fn of(deployment: &Value) -> Self {
        let replicas = integer(deployment, "/spec/replicas").unwrap_or(1);
        if deployment["spec"]["strategy"]["type"] == "Recreate" {
            return Self { replicas, surge: 0, unavailable: 0 };
        }
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        let surge = share(&rolling["maxSurge"], replicas, true);
        let mut unavailable = share(&rolling["maxUnavailable"], replicas, false);
        if surge == 0 && unavailable == 0 {
            unavailable = 1;
        }
        Self { replicas, surge, unavailable: unavailable.min(replicas) }
    }

    /// Replicas the new set should have, where it has `new` and all sets together `total`.
    pub fn new_replicas(self, new: i64, total: i64) -> i64 {
        let most = self.replicas + self.surge;
        if total >= most { new } else { new + (most - total).min(self.replicas - new) }
    }
}

/// An absolute number, or a percentage of the replicas rounded up or down.
pub fn share(value: &Value, replicas: i64, up: bool) -> i64 {
    if let Some(number) = value.as_i64() {
        return number;
    }
    let percent: i64 = value.as_str().and_then(|text| text.strip_suffix('%')?.parse().ok()).unwrap_or(0);
    let product = replicas * percent;
    if up { (product + 99) / 100 } else { product / 100 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Limits;

    fn check(replicas: i64, surge: &serde_json::Value, unavailable: &serde_json::Value, expect: (i64, i64)) {
        let rolling = json!({ "maxSurge": surge, "maxUnavailable": unavailable });
        let deployment = json!({
            "spec": { "replicas": replicas, "strategy": { "type": "RollingUpdate", "rollingUpdate": rolling } },
        });
        let limits = Limits::of(&deployment);
        assert_eq!((limits.surge, limits.unavailable), expect, "{deployment}");
    }

    #[test]
    fn percentages_round_up_for_surge_and_down_for_unavailable() {
        check(1, &json!("25%"), &json!("25%"), (1, 0));
        check(4, &json!("25%"), &json!("25%"), (1, 1));
        check(10, &json!("25%"), &json!("25%"), (3, 2));
        check(2, &json!(0), &json!("10%"), (0, 1));
        check(2, &json!(1), &json!(5), (1, 2));
    }

    #[test]
    fn the_new_set_grows_as_far_as_the_surge_allows() {
        let limits = Limits { replicas: 4, surge: 1, unavailable: 1 };
        assert_eq!(limits.new_replicas(0, 4), 1);
        assert_eq!(limits.new_replicas(1, 5), 1);
        assert_eq!(limits.new_replicas(1, 2), 4);
    }
}
