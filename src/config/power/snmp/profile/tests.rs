use super::*;

fn parse(text: &str) -> Result<Profile, String> {
    let problems = Problems::default();
    let profile = Profile::parse(text, &At::top("pdu.toml", &problems));
    problems.check(profile).map_err(|failure| failure.to_string())
}

#[test]
fn the_profiles_that_come_with_the_program_are_sound() {
    for (name, text) in BUILT_IN {
        let problems = Problems::default();
        let profile = Profile::parse(text, &At::top(name, &problems));
        let profile = problems.check(profile).unwrap();
        assert_ne!(profile.on, profile.off, "{name}");
        assert!(profile.cycle.as_ref().is_none_or(|cycle| *cycle != profile.on), "{name}");
        let port = profile.numbering.port("1").unwrap();
        assert_eq!(profile.numbering.text(&port), "1", "{name}");
        assert!(profile.about.len() < 80 && !profile.about.contains('\n'), "{name}");
    }
    assert_eq!(Profile::built_in().len(), BUILT_IN.len());
}

#[test]
fn a_profile_says_what_is_wrong_with_it() {
    let told = parse(
        "about = \"x\"\nunit = \"a\"\ndetect = [\"1.x\"]\n[on]\noid = \"1.3.6\"\nvalue = 1\n\
         [status]\noid = \"1.3.{port}\"\non = [1]\noff = [1]\n\
         [meter.watts]\noid = \"1.3.{port}\"\nscale = 0\n",
    );
    let told = told.unwrap_err();
    for line in [
        "pdu.toml:1:1: \"source\" is missing",
        "pdu.toml:1:1: the table [off] is missing",
        "pdu.toml:2:8: unit: \"a\" is no part of an OID; write it like 1 or \"1.1\"",
        "pdu.toml:3:11: detect[0]: \"1.x\" is no OID; write it like 1.3.6.1.4.1.318",
        "pdu.toml:5:7: on.oid: it is the same for all outlets: there is no {port} in it",
        "pdu.toml:10:7: status.off: 1 means on already",
        "pdu.toml:13:9: meter.watts.scale: expected a number above 0, found a whole number",
    ] {
        assert!(told.lines().any(|said| said == line), "{line}\nis not in\n{told}");
    }
}

#[test]
fn a_list_is_taken_apart_and_put_together() {
    let text = "about = \"x\"\nsource = \"none\"\nunit = \"1\"\n\
                [on]\noid = \"1.3.{unit}.0\"\nvalue = 1\nlist = \",\"\n\
                [off]\noid = \"1.3.{unit}.0\"\nvalue = 0\nlist = \",\"\n\
                [status]\noid = \"1.3.{unit}.9\"\non = [\"On\"]\noff = [\"Off\"]\npending = [2]\nlist = \"space\"\n";
    let profile = parse(text).unwrap();
    let list = profile.on.list.unwrap();
    assert_eq!(list.items(" 1,0, -1 "), ["1", "0", "-1"]);
    assert_eq!(list.join(&["1".into(), "0".into()]), "1,0");
    let status = profile.status.unwrap();
    assert_eq!(status.list.unwrap().items("On  Off\tOn \0"), ["On", "Off", "On", "\0"]);
    assert_eq!(status.pending, ["2"]);
    let each = parse(&text.replace("1.3.{unit}.9", "1.3.{port}")).unwrap_err();
    assert!(each.contains("status.oid: a list is of all outlets"), "{each}");
    let sign = parse(&text.replace("\"space\"", "\"spaces\"")).unwrap_err();
    assert!(sign.contains("\"spaces\" separates nothing"), "{sign}");
    let of_one = parse(&text.replace("1.3.{unit}.9", "1.3.9")).unwrap_err();
    assert!(of_one.contains("unit: a list here is of one unit only"), "{of_one}");
}
