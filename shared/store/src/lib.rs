//! Runs, tasks, locks, fences and deliveries in DynamoDB: one table, one item for each.
//!
//! | pk | sk | what |
//! | --- | --- | --- |
//! | `run#<run>` | `head` | the run's head |
//! | `run#<run>` | `task#<stage>#<subject>[@<environment>]` | a task |
//! | `run#<run>` | `told` | what notify has said |
//! | `delivery#<id>` | `delivery` | a webhook delivery |
//! | `body#<sha256>` | `body` | which delivery that body came with first |
//! | `environment#<repository>#<environment>` | `fence`, `lock` | the last number drawn; the lock |
//! | `repository#<repository>` | `watch`, `tips` | when its branches are looked at; what was seen of them |
//! | `repository#<repository>` | `front#<line>`, `green#<subject>#<key>` | newest runs; results to be reused |
//! | `environment#<repository>#<environment>` | `current#<service>`, `verified#<service>` | releases |
//!
//! An item's `body` is the domain type as JSON; beside it stand only the attributes that conditions, the index
//! `due` and the expiry need. Every write is one request on a condition; every read is consistent but [`due`],
//! whose index has no consistent reads.
//!
//! [`due`]: domain::ports::Runs::due

mod deliveries;
mod environments;
mod item;
mod lines;
mod lock;
mod notice_book;
mod repositories;
mod runs;
mod scans;
mod timeline;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;

/// The table.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
    table: String,
}

impl Store {
    /// The table of that name, with the keys and the index that `template.yaml` gives it.
    pub fn new(config: &SdkConfig, table: impl Into<String>) -> Self {
        Self { client: Client::new(config), table: table.into() }
    }
}
