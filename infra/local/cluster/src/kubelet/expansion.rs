//! `$(NAME)` in commands, arguments and values; quantities such as `128Mi` and `250m`.

/// Replaces `$(NAME)` by known variables; unknown ones stay, `$$` is a dollar.
pub fn expand(text: &str, variables: &[(String, String)]) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(position) = rest.find('$') {
        expanded.push_str(&rest[..position]);
        rest = &rest[position + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            match variables.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => expanded.push_str(value),
                None => expanded.extend(["$(", name, ")"]),
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded.push_str(rest);
    expanded
}

/// A quantity in thousandths of its unit: `250m` is 250, `1` is 1000, `1Ki` is 1,024,000.
pub fn thousandths(quantity: &str) -> Option<u64> {
    let split = quantity.find(|character: char| !character.is_ascii_digit() && character != '.');
    let (number, unit) = quantity.split_at(split.unwrap_or(quantity.len()));
    let factor: u64 = match unit {
        "m" => 1,
        "" => 1000,
        "k" => 1000 * 1000,
        "M" => 1000 * 1000_u64.pow(2),
        "G" => 1000 * 1000_u64.pow(3),
        "Ki" => 1000 * 1024,
        "Mi" => 1000 * 1024_u64.pow(2),
        "Gi" => 1000 * 1024_u64.pow(3),
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = u32::try_from(fraction.len()).ok().filter(|digits| *digits < 10)?;
    let whole: u64 = whole.parse().ok()?;
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    Some(whole * factor + part * factor / 10_u64.pow(digits))
}

#[cfg(test)]
mod tests {
    use super::{expand, thousandths};

    #[test]
    fn variables_are_put_in() {
        let variables = vec![("PORT".to_owned(), "8000".to_owned())];
        let check = |text: &str, expect: &str| assert_eq!(expand(text, &variables), expect, "{text}");
        check("--port=$(PORT)", "--port=8000");
        check("$(MISSING) $$(PORT) $PORT $", "$(MISSING) $(PORT) $PORT $");
    }

    #[test]
    fn quantities_are_read() {
        let check = |text: &str, expect: Option<u64>| assert_eq!(thousandths(text), expect, "{text}");
        check("250m", Some(250));
        check("0.5", Some(500));
        check("128Mi", Some(128 * 1024 * 1024 * 1000));
        check("1.5Gi", Some(3 * 1024 * 1024 * 512 * 1000));
        check("lots", None);
    }
}
