//! Golden files.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Holds a text against its golden file.
pub fn holds(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    let text = format!("{}\n", text.trim_end());
    if std::env::var_os("SENSOR_GOLDEN").is_some_and(|what| what == "write") {
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, text).expect("written");
        return;
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    if golden == text {
        return;
    }
    let at = golden
        .lines()
        .zip(text.lines())
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| golden.lines().count().min(text.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or("(nothing)").to_string();
    panic!(
        "{name} differs in line {}:\n golden: {}\n    now: {}\n(SENSOR_GOLDEN=write writes it anew)",
        at + 1,
        line(&golden),
        line(&text)
    );
}

/// The names of all fields of an object, with the types of their values.
pub fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), shape(value)))
            .collect(),
    }
}
