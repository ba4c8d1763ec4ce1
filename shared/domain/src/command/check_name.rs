//! What a check run of Slipway is about, by its name; `notices` gives the names.

use crate::ids::Subject;

/// The roll-up's name, with which all others begin.
const ROLL_UP: &str = "slipway";

/// What a check run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// The whole run.
    Run,
    /// One test.
    Test(Subject),
}

/// What the check run of that name is about; none where it is about no test.
pub fn checked_by(name: &str) -> Option<Checked> {
    if name == ROLL_UP {
        return Some(Checked::Run);
    }
    let about = name.strip_prefix(ROLL_UP)?.strip_prefix(" / ")?;
    let subject = match about {
        "checks" => Subject::Checks,
        "integration tests" => Subject::Integration,
        about => Subject::Service(about.strip_prefix("test ")?.parse().ok()?),
    };
    Some(Checked::Test(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_checks_tell_their_subject() {
        let service = |name: &str| Checked::Test(Subject::Service(name.parse().expect("a name")));
        for (name, expected) in [
            ("slipway", Some(Checked::Run)),
            ("slipway / test authentication", Some(service("authentication"))),
            ("slipway / test checks", Some(service("checks"))),
            ("slipway / checks", Some(Checked::Test(Subject::Checks))),
            ("slipway / integration tests", Some(Checked::Test(Subject::Integration))),
            ("slipway / deliver development", None),
            ("slipway / test a+rollback", None),
            ("slipway / test ../a", None),
            ("slipway/checks", None),
            ("slipways", None),
            ("Slipway", None),
            ("", None),
        ] {
            assert_eq!(checked_by(name), expected, "{name}");
        }
    }
}
