//! Texts without the values of a job's secrets.

use crate::config::{At, Node, Problems, Value};

/// A text in which nothing is left of what a job definition has in its `secrets`.
pub fn masked(text: &str, definition: &str) -> String {
    let problems = Problems::default();
    let node = crate::yaml::parse(definition, &At::top("job", &problems));
    let secrets = node.as_ref().and_then(|node| node.get("secrets"));
    let Some(Value::Map(secrets)) = secrets.map(|secrets| &secrets.value) else {
        return text.to_owned();
    };
    let mut values: Vec<String> = secrets.iter().filter_map(|(_, value)| plain(value)).collect();
    values.retain(|value| !value.is_empty());
    // One may be a part of another.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.iter().fold(text.to_owned(), |text, value| text.replace(value, "[MASKED]"))
}

fn plain(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => Some(text.clone()),
        Value::Int(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn nothing_is_left_of_a_secret() {
        let job = "job_name: a\nsecrets:\n  a: tok\n  b: token-4711\n";
        assert_eq!(masked("x token-4711 y tok", job), "x [MASKED] y [MASKED]");
        assert_eq!(masked(job, job), "job_name: a\nsecrets:\n  a: [MASKED]\n  b: [MASKED]\n");
        assert_eq!(masked("as it is", "not: [yaml"), "as it is");
    }
}
