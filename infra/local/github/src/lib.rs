//! A stand-in for GitHub: git over smart HTTP, the REST routes used, signed webhooks.
