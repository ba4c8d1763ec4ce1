//! GitHub as an App: tokens, contents, compare, checks and comments.
