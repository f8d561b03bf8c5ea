//! What a machine is told of itself when it begins: a volume `cidata`, as cloud-init's NoCloud takes it (its
//! documentation, "NoCloud"). JSON is YAML.

use serde_json::json;

use crate::image::volume::{NewFile, volume};

/// By which it is known.
const LABEL: &str = "cidata";

/// The volume of a machine that is called so, and that lets in who has these keys: as root, and as the image's own user.
pub(super) fn seed(instance: &str, name: &str, keys: &[String]) -> Vec<u8> {
    let about = json!({"instance-id": instance, "local-hostname": name});
    let user = json!({
        "disable_root": false,
        "ssh_authorized_keys": keys,
        "users": ["default", {"name": "root", "ssh_authorized_keys": keys}],
    });
    let meta = format!("{about:#}\n");
    let user = format!("#cloud-config\n{user:#}\n");
    let files = [("meta-data", meta.as_bytes()), ("user-data", user.as_bytes())];
    volume(LABEL, &files.map(|(name, bytes)| NewFile { name, bytes }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{At, Node, Problems};
    use crate::image::iso;

    #[test]
    fn it_says_the_name_and_the_keys_as_yaml() {
        let dir = tempfile::tempdir().unwrap();
        let (image, file) = (dir.path().join("seed.iso"), dir.path().join("file"));
        let keys = ["ssh-ed25519 AAAA alice@lab".to_owned()];
        std::fs::write(&image, seed("lava-7", "vm01", &keys)).unwrap();
        let read = |name: &str| {
            iso::copy_out(&image, name, &file).unwrap();
            let text = std::fs::read_to_string(&file).unwrap();
            let problems = Problems::default();
            let node = crate::yaml::parse(&text, &At::top(name, &problems)).unwrap();
            (text, node)
        };
        let (_, meta) = read("meta-data");
        let text = |key: &str| meta.get(key).and_then(Node::as_text).map(str::to_owned);
        assert_eq!(text("local-hostname").as_deref(), Some("vm01"));
        assert_eq!(text("instance-id").as_deref(), Some("lava-7"));
        let (text, user) = read("user-data");
        assert!(
            text.starts_with("#cloud-config\n") && text.matches("alice@lab").count() == 2,
            "{text}"
        );
        assert!(user.get("users").is_some() && user.get("ssh_authorized_keys").is_some());
    }
}
