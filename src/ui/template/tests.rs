//! Templates as scripts use them, and those that are refused.

use super::*;

fn fill(format: &str) -> String {
    let object = serde_json::json!({
        "ID": "ab", "Config": {"Env": ["A=1", "B=2"], "Labels": {"a": "x"}}, "N": 3, "Names": ["n"],
    });
    Format::parse(format).and_then(|format| format.strict().fill(&object)).unwrap()
}

#[test]
fn templates_as_scripts_use_them() {
    assert_eq!(fill("{{.ID}} {{.N}}"), "ab 3");
    assert_eq!(fill("{{.Config.Env}}"), "[A=1 B=2]");
    assert_eq!(fill("{{json .Config.Env}}"), r#"["A=1","B=2"]"#);
    assert_eq!(fill("{{range .Config.Env}}{{.}};{{end}}"), "A=1;B=2;");
    assert_eq!(fill("{{range $i, $e := .Config.Env}}{{$i}}{{$e}} {{end}}"), "0A=1 1B=2 ");
    assert_eq!(fill("{{index .Config.Env 1}}"), "B=2");
    assert_eq!(fill(r#"{{index .Config.Labels "a"}}{{.Config.Labels.a}}"#), "xx");
    assert_eq!(fill(r#"{{join .Config.Env ","}}{{upper .ID}}{{"A B" | lower}}"#), "A=1,B=2ABa b");
    assert_eq!(fill(r#"{{title "one two-three"}} {{len .Config.Env}}"#), "One Two-Three 2");
    assert_eq!(fill(r#"{{index (split "a,b" ",") 1}}{{truncate .ID 1}}{{pad .ID 1 2}}|"#), "ba ab  |");
    assert_eq!(fill(r#"{{printf "%-4s|%03d|%q" .ID .N .ID}}"#), r#"ab  |003|"ab""#);
    assert_eq!(fill("{{println .ID}}"), "ab\n");
    assert_eq!(fill(r#"{{if eq .ID "ab"}}yes{{else}}no{{end}}{{with .ID}}{{.}}{{end}}"#), "yesab");
    assert_eq!(fill("{{.ID | printf \"%s-%s\" \"x\"}}"), "x-ab");
    assert_eq!(fill(r"{{.ID}}\t{{.N}}"), "ab\t3");
}

#[test]
fn a_label_may_have_any_name() {
    for name in ["", SHOWN, PLAIN, ORDERED] {
        let object = serde_json::json!({"Z": 1, "Labels": {name: "no JSON", "b": "y", "a": "x"}});
        let filled =
            |text: &str| Format::parse(text).and_then(|format| format.strict().fill(&object)).unwrap();
        let own = if name.is_empty() { (r#""":"no JSON","#, ":no JSON ") } else { ("", "") };
        assert_eq!(filled("{{json .Labels}}"), format!(r#"{{{}"a":"x","b":"y"}}"#, own.0));
        assert_eq!(filled("{{.Labels}}"), format!("map[{}a:x b:y]", own.1));
    }
}

#[test]
fn a_label_may_be_missing_and_a_field_may_not() {
    assert_eq!(fill("{{.Config.Labels.nosuch}}"), "<no value>");
    let strict = |text: &str| Format::parse(text).unwrap().strict().fill(&serde_json::json!({"ID": "ab"}));
    let error = format!("{:?}", strict("{{.Nosuch}}").unwrap_err());
    assert!(error.contains("Nosuch"), "{error}");
}

#[test]
fn a_field_with_nothing_in_it_is_nil_as_in_go() {
    let object = serde_json::json!({"Created": null, "Labels": {}});
    let fill = |text: &str| Format::parse(text).unwrap().strict().fill(&object).unwrap();
    assert_eq!(fill("{{.Created}} {{- .Created -}} {{.Labels}}"), "<nil><nil>map[]");
    assert_eq!(fill("{{if .Created}}yes{{else}}no{{end}} {{.Labels.nosuch}}"), "no <no value>");
}

#[test]
fn json_keeps_the_order_of_fields_and_sorts_that_of_maps() {
    let object = serde_json::json!({
        "Zeal": 1,
        "Apple": [{ "Size": 1, "Digest": "d" }],
        "Labels": { "z": "1", "a": "2" },
        "Time": { PLAIN: "t", SHOWN: "shown" },
        "Inner": { PLAIN: { "y": 1, "b": 2 }, "b": 2, "y": 1, "X": 3 },
    });
    let fill = |text: &str| Format::parse(text).unwrap().fill(&object).unwrap();
    let inner = r#"[{"Size":1,"Digest":"d"}],"Labels":{"z":"1","a":"2"},"Time":"t","Inner":{"y":1,"b":2}}"#;
    assert_eq!(fill("{{json .}}"), format!(r#"{{"Zeal":1,"Apple":{inner}"#));
    assert_eq!(fill("{{json .Apple}} {{json .Labels}}"), r#"[{"Size":1,"Digest":"d"}] {"a":"2","z":"1"}"#);
    assert_eq!(fill("{{json .Inner}} {{.Apple}}"), r#"{"y":1,"b":2} [map[Digest:d Size:1]]"#);
    assert_eq!(fill("{{range $k, $v := .Labels}}{{$k}}{{end}}"), "az");
}

#[test]
fn columns_of_a_table_are_at_spaces_and_tabs() {
    assert_eq!(columns(r#"{{.ID}} {{printf "%s x" .N}}	{{.A}}"#), "{{.ID}}\t{{printf \"%s x\" .N}}\t{{.A}}");
    assert_eq!(columns("a b {{.ID"), "a\tb\t{{.ID");
    assert!(Format::parse("table {{.ID}}").unwrap().is_table);
    assert!(!Format::parse("tables").unwrap().is_table);
}

#[test]
fn a_bad_template_is_refused() {
    for bad in ["{{.ID", "{{nothere .}}", "{{range}}", "{{.ID | }}"] {
        let filled = Format::parse(bad).and_then(|format| format.fill(&1));
        assert!(filled.is_err(), "{bad}");
    }
    let deep = format!("{}x{}", "{{if 1}}".repeat(5000), "{{end}}".repeat(5000));
    assert!(Format::parse(&deep).is_err() || Format::parse(&deep).unwrap().fill(&1).is_ok());
}
