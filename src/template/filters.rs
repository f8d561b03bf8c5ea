//! The filters that LAVA adds to Jinja2's own, and those of Jinja2 that write values into a text.

use minijinja::{Environment, Error, ErrorKind, Value};

use super::python;

/// The machines with an IDE controller.
const X86: &[&str] = &["amd64", "i386", "x86_64"];

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("shlex_quote", shlex_quote);
    environment.add_filter("yaml_quote", yaml_quote);
    environment.add_filter("qemu_guest_fs_interface", qemu_guest_fs_interface);
    environment.add_filter("string", |value: &Value| python::str(value));
    environment.add_filter("join", join);
}

/// As one word of a shell.
fn shlex_quote(value: &Value) -> Result<String, Error> {
    let text = python::str(value)?;
    let quoted = shlex::try_quote(&text).map(std::borrow::Cow::into_owned);
    quoted.map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// As one text of YAML, whatever is in it.
fn yaml_quote(value: &Value) -> Result<String, Error> {
    Ok(serde_json::Value::String(python::str(value)?).to_string())
}

/// How libguestfs gives an image to QEMU: as IDE where a machine has that, else as virtio; the job
/// may say otherwise.
fn qemu_guest_fs_interface(arch: &Value, wanted: Option<Value>) -> Result<String, Error> {
    match wanted.filter(Value::is_true) {
        Some(wanted) => python::str(&wanted),
        None if X86.contains(&arch.as_str().unwrap_or_default()) => Ok("ide".into()),
        None => Ok("virtio".into()),
    }
}

/// The items with `separator` between them, each as Python writes it.
fn join(value: &Value, separator: Option<&Value>) -> Result<String, Error> {
    let separator = separator.map_or_else(|| Ok(String::new()), python::str)?;
    if value.is_undefined() || value.is_none() {
        return Ok(String::new());
    }
    let items: Result<Vec<String>, Error> =
        value.try_iter()?.map(|item| python::str(&item)).collect();
    Ok(items?.join(&separator))
}
