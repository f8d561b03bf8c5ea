//! conserver's character substitutions: `devicesubst p=Pd,h=hs` and its like.

/// What may be put in.
pub(super) struct Values<'a> {
    pub(super) console: &'a str,
    pub(super) host: Option<&'a str>,
    pub(super) string: &'a str,
    pub(super) baud: &'a str,
    /// As configured, and as calculated.
    pub(super) port: Option<u64>,
    pub(super) net_port: u64,
}

/// The widest field: wider ones are no configuration.
const WIDEST: usize = 256;

/// Replaces characters of `text` as a list of `c=t[n]f` says.
///
/// # Errors
/// Why conserver does not substitute anything then.
pub(super) fn substitute(text: &str, list: &str, values: &Values<'_>) -> Result<String, String> {
    let mut replaced: Vec<(char, String)> = Vec::new();
    for element in list.split(',').filter(|_| !list.is_empty()) {
        let wrong = || format!("{element:?} is not of the form c=t[n]f, or its value is not set");
        let (c, value) = parse(element, values).ok_or_else(wrong)?;
        if replaced.iter().any(|(known, _)| *known == c) {
            return Err(format!("{c:?} is substituted twice"));
        }
        replaced.push((c, value));
    }
    let mut result = String::new();
    for c in text.chars() {
        match replaced.iter().find(|(from, _)| *from == c) {
            Some((_, value)) => result.push_str(value),
            None => result.push(c),
        }
    }
    Ok(result)
}

fn parse(element: &str, values: &Values<'_>) -> Option<(char, String)> {
    let mut chars = element.chars();
    let from = chars.next()?;
    let (sign, kind, format) = (chars.next()?, chars.next()?, chars.next_back()?);
    let field = chars.as_str();
    let digits = field.bytes().all(|byte| byte.is_ascii_digit());
    let width: usize = if field.is_empty() { 0 } else { field.parse().ok()? };
    if sign != '=' || !digits || width > WIDEST {
        return None;
    }
    let text = |text: &str| (format == 's').then(|| text.to_owned());
    let value = match kind {
        'c' => text(values.console)?,
        'h' => text(values.host?)?,
        'r' => text(values.string)?,
        'b' => text(values.baud)?,
        'p' => number(values.port?, format)?,
        'P' => number(values.net_port, format)?,
        _ => return None,
    };
    let zeros = format != 's' && field.starts_with('0');
    Some((from, if zeros { format!("{value:0>width$}") } else { format!("{value:>width$}") }))
}

fn number(value: u64, format: char) -> Option<String> {
    match format {
        'd' => Some(value.to_string()),
        'x' => Some(format!("{value:x}")),
        'X' => Some(format!("{value:X}")),
        'a' => Some(base36(value)),
        'A' => Some(base36(value).to_uppercase()),
        _ => None,
    }
}

fn base36(mut value: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit((value % 36) as u32, 36));
        value /= 36;
        if value == 0 {
            return digits.iter().rev().collect();
        }
    }
}
