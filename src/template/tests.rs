use super::*;
use crate::config::{At, Problems};

/// Renders `device.jinja2` beside the other files.
fn render_with(files: &[(&str, &str)], context: &str) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let problems = Problems::default();
    let context = crate::yaml::parse(context, &At::top("job.yaml", &problems)).unwrap();
    let rendered = render(&dir.path().join(files[0].0), &[dir.path().to_owned()], Some(&context));
    let folder = format!("{}/", dir.path().display());
    rendered.map_err(|problem| problem.to_string().replace(&folder, ""))
}

fn rendered(template: &str, context: &str) -> String {
    render_with(&[("device.jinja2", template)], context).unwrap()
}

#[test]
fn a_device_extends_its_type_and_the_job_gives_what_neither_says() {
    let files = [
        (
            "board.jinja2",
            "{% extends 'type.jinja2' %}\n{% set command = 'telnet localhost 7001' %}\n",
        ),
        (
            "type.jinja2",
            "{% extends 'base.jinja2' %}\n{% set console = console|default('ttyS0') %}\n{% block body %}\n\
             args: {{ console }} {{ extra | default('quiet') }}\n{{ super() }}{% endblock body %}\n",
        ),
        ("base.jinja2", "connect: {{ command }}\n{% block body %}\nbase: true\n{% endblock %}\n"),
    ];
    assert_eq!(
        render_with(&files, "{extra: debug, command: rm}").unwrap(),
        "connect: telnet localhost 7001\nargs: ttyS0 debug\nbase: true\n"
    );
}

#[test]
fn values_are_written_as_python_writes_them() {
    let context = "{yes: true, none: ~, list: [a, \"it's\", 1, 2.0, false], map: {k: [x]}}";
    assert_eq!(rendered("{{ yes }} {{ none }} {{ nobody }}|", context), "True None |");
    assert_eq!(
        rendered("{{ list }} {{ map }}", context),
        "['a', \"it's\", 1, 2.0, False] {'k': ['x']}"
    );
    assert_eq!(rendered("{{ list|join(',') }}", context), "a,it's,1,2.0,False");
    assert_eq!(
        rendered("{% for k, v in map.items() %}{{ k }}={{ v[0].upper() }}{% endfor %}", context),
        "k=X"
    );
}

#[test]
fn lavas_filters_are_there() {
    assert_eq!(rendered("{{ x|shlex_quote }}", "{x: a b}"), "'a b'");
    assert_eq!(rendered("k: {{ x|yaml_quote }}", "{x: 'a: \"b\"'}"), "k: \"a: \\\"b\\\"\"");
    let interface = "{{ arch|qemu_guest_fs_interface(interface) }}";
    assert_eq!(rendered(interface, "{arch: amd64}"), "ide");
    assert_eq!(rendered(interface, "{arch: arm64}"), "virtio");
    assert_eq!(rendered(interface, "{arch: arm64, interface: scsi}"), "scsi");
}

#[test]
fn what_is_wrong_has_its_file_and_place() {
    let told = |files: &[(&str, &str)]| render_with(files, "{}").unwrap_err();
    let syntax = told(&[("device.jinja2", "a: 1\nb: {% if %}\n")]);
    assert!(syntax.starts_with("device.jinja2:2:"), "{syntax}");
    let parent = told(&[
        ("device.jinja2", "{% extends 'type.jinja2' %}\n"),
        ("type.jinja2", "a: 1\nb: {{ x|nosuch }}\n"),
    ]);
    assert!(parent.starts_with("type.jinja2:2:") && parent.contains("nosuch"), "{parent}");
    let missing = told(&[("device.jinja2", "\n{% extends 'tpye.jinja2' %}\n")]);
    assert!(missing.starts_with("device.jinja2:2:"), "{missing}");
    assert!(missing.contains("tpye.jinja2") && missing.contains("--templates DIR"), "{missing}");
    let outside = told(&[("device.jinja2", "{% include '../../etc/passwd' %}\n")]);
    assert!(outside.contains("it is in none of"), "{outside}");
}

#[test]
fn a_template_without_an_end_is_ended() {
    let nested = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}\
                  {% endfor %}{% endfor %}{% endfor %}";
    let told = render_with(&[("device.jinja2", nested)], "{}").unwrap_err();
    assert!(told.contains("does not come to an end"), "{told}");
    let long = "{% for a in range(9999) %}{{ 'x' * 1000 }}{% endfor %}";
    let told = render_with(&[("device.jinja2", long)], "{}").unwrap_err();
    assert!(told.contains("more than 4 MiB"), "{told}");
}
