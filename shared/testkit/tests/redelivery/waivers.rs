//! What the suite knows not to be repaired: each by name and with its reason. A waiver that nothing needs fails.

use testkit::fakes::Trouble;

use crate::Handler;
use crate::harness::Disturbance;

/// One difference that is borne.
pub struct Waiver {
    pub handler: Handler,
    /// The scenario.
    pub scenario: &'static str,
    /// Under which disturbances.
    pub under: fn(Disturbance) -> bool,
    /// How the lines begin that may differ.
    pub lines: &'static [&'static str],
    /// Whether they are as they should be again after some sweeps.
    pub mended_by_sweep: bool,
    /// Why it is borne, for people.
    pub because: &'static str,
}

/// All of them.
pub const WAIVERS: &[Waiver] = &[
    Waiver {
        handler: Handler::Plan,
        scenario: "fails for the fifth time and is given up",
        under: |disturbance| !matches!(disturbance, Disturbance::Trouble(..)),
        lines: &["check run ", "table run#", "dead letter "],
        mended_by_sweep: true,
        because: "a plan's dead letter is its message, so that a second delivery looks like a person's redrive: it \
                  revives the plan, which sweep then brings to its end again",
    },
    Waiver {
        handler: Handler::Plan,
        scenario: "was given up, and goes on when its letter is redriven",
        under: |disturbance| matches!(disturbance, Disturbance::Trouble(1..=3, Trouble::FailBefore)),
        lines: &[""],
        mended_by_sweep: false,
        because: "a redriven letter that fails before it has revived the plan is set aside once more; nothing is lost, \
                  and a person redrives it again",
    },
    Waiver {
        handler: Handler::Plan,
        scenario: "GitHub answers again, and what was put off is planned",
        under: |disturbance| matches!(disturbance, Disturbance::Trouble(..)),
        lines: &[""],
        mended_by_sweep: true,
        because: "what has been put off before is put off once more, and sweep asks again",
    },
    Waiver {
        handler: Handler::Plan,
        scenario: "the first look at the branches",
        under: |disturbance| matches!(disturbance, Disturbance::Trouble(..)),
        lines: &["table repository#"],
        mended_by_sweep: true,
        because: "where GitHub fails, the look is put off for two minutes instead of coming again",
    },
    Waiver {
        handler: Handler::Plan,
        scenario: "a look that finds a push whose webhook was lost",
        under: |disturbance| matches!(disturbance, Disturbance::Trouble(..)),
        lines: &[""],
        mended_by_sweep: true,
        because: "where GitHub fails, the look is put off for two minutes instead of coming again",
    },
];
