//! Each function's role against the adapters it is built with: what it needs, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::Findings;
use super::checkout::Checkout;
use super::crates::Crates;
use super::template::{FILE, Function, Statement, Template, chosen, texts};
use super::variables::{own_dead_letters, queue_resource, queues_named};

/// Adapters and the services that their calls go to.
const ADAPTERS: [(&str, &str); 8] = [
    ("artifacts", "s3"),
    ("builds", "codebuild"),
    ("cluster", "eks"),
    ("images", "ecr"),
    ("notices", "ses"),
    ("queue", "sqs"),
    ("secrets", "secretsmanager"),
    ("store", "dynamodb"),
];

/// What the event source mapping does in the function's name.
const POLLING: [&str; 4] =
    ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"];

/// Actions that are called otherwise than the operation they allow, and by what.
const OTHER_NAMES: [(&str, &str); 2] =
    [("sqs:SendMessage", "send_message_batch"), ("s3:ListBucket", "get_object")];

/// What Lambda itself needs to connect a function to subnets.
const NETWORK: &str = "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaENIManagementAccess";

const LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];

pub(super) fn check(template: &Template, checkout: &Checkout, crates: &Crates) -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for function in &template.functions {
        if let Some(other) = owners.insert(&function.role, &function.name) {
            findings.push(format!(
                "{FILE}: `{}` and `{other}` share a role; each function has its own",
                function.name
            ));
        }
        let role = Role { function, statements: template.statements(&function.role) };
        for (adapter, service) in ADAPTERS {
            let operations = checkout.texts(&format!("shared/{adapter}/src/"), ".rs")?;
            findings.extend(
                role.check_adapter(service, crates.uses(&function.name, adapter).then_some(&operations)),
            );
        }
        findings.extend(role.check_others());
        findings.extend(role.check_sending(template, checkout)?);
        findings.extend(role.check_polling());
        findings.extend(role.check_secrets());
        findings.extend(role.check_reading());
        findings.extend(role.check_network(template, crates.uses(&function.name, "cluster")));
    }
    Ok(findings)
}

struct Role<'a> {
    function: &'a Function,
    statements: Vec<Statement>,
}

impl Role<'_> {
    fn finding(&self, text: &str) -> String {
        format!("{FILE}: role `{}` of `{}` {text}", self.function.role, self.function.name)
    }

    fn actions(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| statement.actions.iter().map(String::as_str))
    }

    /// The resources on which an action is allowed.
    fn allowed(&self, action: &str) -> BTreeSet<&str> {
        let granting =
            self.statements.iter().filter(|statement| statement.actions.iter().any(|known| known == action));
        granting.flat_map(|statement| statement.resources.iter().map(String::as_str)).collect()
    }

    /// A function with the adapter has actions of its service, and only those that the adapter calls.
    fn check_adapter(&self, service: &str, operations: Option<&String>) -> Findings {
        let prefix = format!("{service}:");
        let granted: Vec<&str> = self.actions().filter(|action| action.starts_with(&prefix)).collect();
        let Some(operations) = operations else {
            let superfluous = |action: &&str| {
                self.finding(&format!("allows `{action}`, but the function lacks the adapter; remove it"))
            };
            return granted.iter().map(superfluous).collect();
        };
        if granted.is_empty() {
            return vec![self.finding(&format!(
                "allows nothing of `{service}`, which the function calls; add its actions"
            ))];
        }
        let called = |action: &&str| {
            let other = OTHER_NAMES
                .iter()
                .find(|(name, _)| name == action)
                .map(|(_, operation)| (*operation).to_owned());
            let operation = other.unwrap_or_else(|| snake(action.trim_start_matches(&prefix)));
            POLLING.contains(action) || operations.contains(&format!(".{operation}()"))
        };
        granted
            .iter()
            .filter(|action| !called(action))
            .map(|action| {
                self.finding(&format!("allows `{action}`, which its adapter never calls; remove it"))
            })
            .collect()
    }

    /// Nothing of services without an adapter, no wildcards.
    fn check_others(&self) -> Findings {
        let known = |action: &str| {
            LOGS.contains(&action)
                || ADAPTERS.iter().any(|(_, service)| action.split(':').next() == Some(service))
        };
        let mut findings: Findings = self
            .actions()
            .filter(|action| action.contains('*') || !known(action))
            .map(|action| {
                self.finding(&format!(
                    "allows `{action}`; name single actions of services it has adapters for"
                ))
            })
            .collect();
        if self.statements.iter().any(|statement| statement.resources.iter().any(|resource| resource == "*"))
        {
            findings.push(self.finding("allows something on every resource; name the resources"));
        }
        findings
    }

    fn check_sending(&self, template: &Template, checkout: &Checkout) -> anyhow::Result<Findings> {
        let targets = queues_named(self.function, checkout)?;
        let expected = targets
            .iter()
            .filter_map(|queue| queue_resource(queue.variable()))
            .chain(own_dead_letters(self.function, template).map(str::to_owned))
            .map(|queue| format!("{queue}.Arn"));
        let expected: BTreeSet<String> = expected.collect();
        let allowed: BTreeSet<String> =
            self.allowed("sqs:SendMessage").into_iter().map(str::to_owned).collect();
        let differs = expected != allowed;
        Ok(differs
            .then(|| {
                self.finding(&format!(
                    "may send to {allowed:?}; its main names, with its own dead letters, {expected:?}"
                ))
            })
            .into_iter()
            .collect())
    }

    fn check_polling(&self) -> Findings {
        let sources: BTreeSet<String> =
            self.function.sources.iter().map(|(queue, _)| format!("{queue}.Arn")).collect();
        let differs = |action: &&str| {
            let allowed: BTreeSet<String> = self.allowed(action).into_iter().map(str::to_owned).collect();
            allowed != sources
        };
        let differing = POLLING.into_iter().filter(differs);
        differing
            .map(|action| self.finding(&format!("must allow `{action}` on exactly its sources {sources:?}")))
            .collect()
    }

    /// Exactly the secrets whose ids it is given.
    fn check_secrets(&self) -> Findings {
        let given = self.function.variables.keys().filter_map(|name| name.strip_suffix("_SECRET_ID"));
        let prefixes = self.function.variables.keys().filter_map(|name| name.strip_suffix("_SECRET_PREFIX"));
        let given = given.map(str::to_lowercase).chain(prefixes.map(|name| name.to_lowercase() + "/*"));
        let given: BTreeSet<String> = given.collect();
        let secret = |resource: &&str| {
            resource
                .rsplit_once("${AWS::StackName}/")
                .map_or_else(|| (*resource).to_owned(), |(_, name)| name.trim_end_matches("-*").to_owned())
        };
        let allowed: BTreeSet<String> =
            self.allowed("secretsmanager:GetSecretValue").iter().map(secret).collect();
        let differs = allowed != given;
        differs
            .then(|| {
                self.finding(&format!(
                    "may call GetSecretValue on {allowed:?}; the secrets it is given are {given:?}"
                ))
            })
            .into_iter()
            .collect()
    }

    /// Who reaches a cluster may be put into a VPC, and has the one managed policy that this needs; nobody else has any.
    fn check_network(&self, template: &Template, reaches_a_cluster: bool) -> Findings {
        let of =
            |id: &str, name: &str| template.properties(id).map(|all| all[name].clone()).unwrap_or_default();
        let policies = of(&self.function.role, "ManagedPolicyArns");
        let policies = chosen(&policies).map(texts).unwrap_or_default();
        let expected: &[&str] = if reaches_a_cluster { &[NETWORK] } else { &[] };
        let mut findings = Findings::new();
        if policies != expected {
            findings.push(self.finding(&format!("has the managed policies {policies:?}, not {expected:?}")));
        }
        if of(&self.function.id, "VpcConfig").is_null() == reaches_a_cluster {
            findings.push(self.finding("has a `VpcConfig` exactly where the function reaches a cluster"));
        }
        findings
    }

    /// Without `s3:ListBucket`, S3 answers 403 for an object that is not there, and `none` is never seen.
    fn check_reading(&self) -> Findings {
        let reads = !self.allowed("s3:GetObject").is_empty();
        let lists = self.allowed("s3:ListBucket") == BTreeSet::from(["Bucket.Arn"]);
        (reads != lists)
            .then(|| self.finding("reads objects and must allow `s3:ListBucket` on `Bucket.Arn`, or neither"))
            .into_iter()
            .collect()
    }
}

/// `GetObject` as the SDK calls it: `get_object`.
fn snake(action: &str) -> String {
    let mut name = String::with_capacity(action.len() + 4);
    for letter in action.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
