//! A good body, spoiled in every way: for each member at each level a wrong type, a second member of its name, a
//! number out of bounds, and so on, with the answer that it deserves.

use serde_json::{Value, json};

/// A body that must be refused.
#[derive(Debug)]
pub struct Spoiled {
    /// What is wrong with it.
    pub what: String,
    /// The body.
    pub body: Vec<u8>,
    /// The problem's code.
    pub code: &'static str,
    /// The field that the first error names, where it can be told beforehand.
    pub field: Option<String>,
}

/// Stands in a value for text that is put into the JSON as it is.
const RAW: &str = "<raw>";
/// Stands for the name of a second member.
const TWIN: &str = "<twin>";

/// Spoils a good body, an object.
pub fn spoil(good: &Value) -> Vec<Spoiled> {
    let mut spoiled = Vec::new();
    for path in paths(good) {
        let name = path.join(".");
        let value = good.pointer(&pointer(&path)).cloned().unwrap_or_default();
        for wrong in wrong_types(&value) {
            let body = with(good, &path, wrong.clone()).to_string();
            push(
                &mut spoiled,
                format!("{name} is {wrong:.60}"),
                body,
                "validation_failed",
                Some(name.clone()),
            );
        }
        for number in ["1e400", "-1e400", "01", "+1", "NaN", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\t\""] {
            let body = with(good, &path, json!(RAW)).to_string().replace(&format!("\"{RAW}\""), number);
            push(&mut spoiled, format!("{name} is {number}"), body, "malformed_request", None);
        }
        let deep = "[".repeat(200) + &"]".repeat(200);
        let body = with(good, &path, json!(RAW)).to_string().replace(&format!("\"{RAW}\""), &deep);
        // Where a list is expected the reader goes down until it has had enough, elsewhere it stops at the first.
        push(&mut spoiled, format!("{name} is 200 levels deep"), body, "", None);
        let last = path.last().cloned().unwrap_or_default();
        for twin in [last.clone(), format!("\\u{:04x}{}", last.as_bytes()[0], &last[1..])] {
            let body = beside(good, &path, TWIN, value.clone()).to_string().replace(TWIN, &twin);
            push(&mut spoiled, format!("a second {name}, as {twin}"), body, "validation_failed", None);
        }
        let body = beside(good, &path, "is_admin", json!(true)).to_string();
        push(&mut spoiled, format!("an unknown member beside {name}"), body, "validation_failed", None);
    }
    let text = good.to_string();
    let not_json: [(&str, Vec<u8>); 12] = [
        ("nothing", Vec::new()),
        ("white space", b" \r\n\t".to_vec()),
        ("a body cut short", text.as_bytes()[..text.len() - 1].to_vec()),
        ("something behind it", format!("{text}x").into_bytes()),
        ("a second object behind it", format!("{text}{text}").into_bytes()),
        ("a NUL behind it", format!("{text}\0").into_bytes()),
        ("a byte order mark", format!("\u{feff}{text}").into_bytes()),
        ("UTF-16", text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a byte that is no UTF-8", [b"{\"\xff\":1,", &text.as_bytes()[1..]].concat()),
        ("a list", format!("[{text}]").into_bytes()),
        (
            "a list of its members",
            json!(good.as_object().map(|o| o.values().collect::<Vec<_>>())).to_string().into_bytes(),
        ),
        ("a form", b"subject=mia".to_vec()),
    ];
    for (what, body) in not_json {
        spoiled.push(Spoiled { what: what.to_owned(), body, code: "malformed_request", field: None });
    }
    for plain in [json!(null), json!(true), json!(1), json!("{}")] {
        push(&mut spoiled, format!("{plain}"), plain.to_string(), "validation_failed", None);
    }
    spoiled
}

fn push(to: &mut Vec<Spoiled>, what: String, body: String, code: &'static str, field: Option<String>) {
    to.push(Spoiled { what, body: body.into_bytes(), code, field });
}

/// Values of every other type than this one's, and lists and objects that look like it.
fn wrong_types(value: &Value) -> Vec<Value> {
    let all = [json!("x"), json!(true), json!(1), json!(["x"]), json!({ "x": "x" })];
    let mut wrong: Vec<Value> = all
        .into_iter()
        .filter(|other| std::mem::discriminant(other) != std::mem::discriminant(value))
        .collect();
    match value {
        Value::Number(_) => wrong.extend([json!(1.5), json!(-1), json!(-0.0), json!(1e30), json!("1")]),
        Value::String(text) => wrong.extend([json!([text]), json!({ text.as_str(): null })]),
        Value::Array(items) => wrong.extend([json!([items]), json!([1]), json!([null]), json!([{}])]),
        Value::Object(members) => {
            wrong.extend([json!(members.values().collect::<Vec<_>>()), json!([members])]);
        }
        Value::Null | Value::Bool(_) => {}
    }
    wrong
}

/// The place of every member at every level.
fn paths(value: &Value) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (name, inner) in value.as_object().into_iter().flatten() {
        all.push(vec![name.clone()]);
        all.extend(paths(inner).into_iter().map(|path| [vec![name.clone()], path].concat()));
    }
    all
}

fn pointer(path: &[String]) -> String {
    format!("/{}", path.join("/"))
}

fn with(good: &Value, path: &[String], value: Value) -> Value {
    let mut changed = good.clone();
    if let Some(place) = changed.pointer_mut(&pointer(path)) {
        *place = value;
    }
    changed
}

fn beside(good: &Value, path: &[String], name: &str, value: Value) -> Value {
    let mut changed = good.clone();
    let parent = path[..path.len() - 1].iter().fold(&mut changed, |object, name| &mut object[name]);
    parent[name] = value;
    changed
}
