//! Every function with its message twice, at the same time, late, and with each of its port calls failing or crashing
//! before and after the effect: the end is the one of the undisturbed run, and nothing is there twice.
//!
//! A new scenario is an entry of a table in `scenarios/`: what happens before, and which invocation is disturbed.

mod coverage;
#[path = "../common/fates.rs"]
mod fates;
#[path = "../common/functions.rs"]
mod functions;
mod harness;
mod picture;
mod play;
mod proof;
mod registry;
mod scenarios;
mod waivers;

use harness::{Scenario, disturb};

/// One list makes the handlers, their tables and their tests: none can be left out.
macro_rules! handlers {
    ($($folder:ident: $handler:ident),+ $(,)?) => {
        /// A function.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Handler {
            $(#[doc = concat!("functions/", stringify!($folder))] $handler),+
        }

        impl Handler {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$handler),+];

            /// The name of its folder.
            pub fn name(self) -> &'static str {
                match self { $(Self::$handler => stringify!($folder)),+ }
            }

            /// Its table.
            pub fn scenarios(self) -> Vec<&'static Scenario> {
                let own = match self { $(Self::$handler => scenarios::$folder::SCENARIOS),+ };
                own.iter().chain(scenarios::more(self)).collect()
            }
        }

        $(#[test]
        fn $folder() {
            stands(Handler::$handler);
        })+
    };
}

handlers! {
    webhook: Webhook,
    plan: Plan,
    test: Test,
    build: Build,
    publish: Publish,
    deploy: Deploy,
    verify: Verify,
    notify: Notify,
    sweep: Sweep,
}

/// So many faults are printed; the rest is counted.
const SHOWN: usize = 12;

fn stands(handler: Handler) {
    let report = disturb(handler);
    let shown: Vec<_> = report.faults.iter().take(SHOWN).map(String::as_str).collect();
    assert!(
        report.faults.is_empty(),
        "{} of {} plays of {} end otherwise:\n{}",
        report.faults.len(),
        report.plays,
        handler.name(),
        shown.join("\n")
    );
    let needless: Vec<_> = waivers::WAIVERS
        .iter()
        .filter(|waiver| waiver.handler == handler && !report.waived.contains(waiver.scenario))
        .map(|waiver| (waiver.scenario, waiver.because))
        .collect();
    assert!(needless.is_empty(), "nothing needs these waivers: {needless:?}");
    let missing = registry::not_met(handler, &report.met);
    assert!(missing.is_empty(), "no scenario of {} meets {missing:?}", handler.name());
}
