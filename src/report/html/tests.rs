//! The page as a browser reads it: nothing of the data becomes markup, nothing is loaded from elsewhere, and figures
//! are those of the files.

mod dom;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::dom::Dom;
use super::*;
use crate::direction::Standing;
use crate::report::DetectionReport;
use crate::report::tests::samples;

/// Everything that a page can hold.
fn full() -> Contents {
    let picture = |name: &str| Picture {
        jpeg: Some(vec![0xff, 0xd8, 0xff]),
        size: (96, 64),
        alt: format!("{name} of dog"),
        line: "says cat".to_owned(),
    };
    let pictures = Pictures {
        mistakes: vec![
            picture("b/c.png"),
            Picture {
                jpeg: None,
                ..picture("gone.png")
            },
        ],
        pool: vec![picture("pool.png")],
        kept: vec![picture("made.png")],
    };
    let id = ModeId::new(1, 2);
    Contents {
        report: samples::detection(true),
        summary: Some(samples::summary(true)),
        evaluation: Some(samples::evaluation(true)),
        attempts: BTreeMap::from([(
            id,
            vec![true, false, true, true, false, true, true, false, true],
        )]),
        quota: Some(8),
        pictures: BTreeMap::from([(id, pictures)]),
    }
}

/// The contents with every string of data replaced, wherever it stands.
fn renamed(contents: &Contents, by: &dyn Fn(&str) -> String) -> Contents {
    const DATA: [&str; 14] = [
        "class",
        "caption",
        "sentence",
        "id",
        "path",
        "group",
        "prediction",
        "text",
        "name",
        "reason",
        "likely",
        "label",
        "grammar",
        "space",
    ];
    fn walk(value: &mut Value, by: &dyn Fn(&str) -> String) {
        match value {
            Value::Object(entries) => {
                for (key, value) in entries.iter_mut() {
                    match value {
                        Value::String(text) if DATA.contains(&key.as_str()) => *text = by(text),
                        Value::Array(list) if matches!(key.as_str(), "before" | "after") => {
                            for text in list {
                                *text = by(text.as_str().unwrap()).into();
                            }
                        }
                        other => walk(other, by),
                    }
                }
            }
            Value::Array(list) => list.iter_mut().for_each(|value| walk(value, by)),
            _ => {}
        }
    }
    fn through<T: serde::Serialize + serde::de::DeserializeOwned>(
        of: &T,
        by: &dyn Fn(&str) -> String,
    ) -> T {
        let mut value = serde_json::to_value(of).unwrap();
        walk(&mut value, by);
        serde_json::from_value(value).unwrap()
    }
    let picture = |picture: &Picture| Picture {
        alt: by(&picture.alt),
        line: by(&picture.line),
        ..picture.clone()
    };
    let pictures = |of: &Pictures| Pictures {
        mistakes: of.mistakes.iter().map(picture).collect(),
        pool: of.pool.iter().map(picture).collect(),
        kept: of.kept.iter().map(picture).collect(),
    };
    Contents {
        report: through(&contents.report, by),
        summary: contents
            .summary
            .as_ref()
            .map(|summary| through(summary, by)),
        evaluation: contents
            .evaluation
            .as_ref()
            .map(|evaluation| through(evaluation, by)),
        pictures: contents
            .pictures
            .iter()
            .map(|(&id, of)| (id, pictures(of)))
            .collect(),
        ..contents.clone()
    }
}

/// Every element of a page in order, with the names of its attributes.
fn bones(dom: &Dom) -> Vec<(String, BTreeSet<String>)> {
    let elements = dom.0.iter();
    elements
        .map(|element| {
            (
                element.name().to_owned(),
                element.attributes.keys().cloned().collect(),
            )
        })
        .collect()
}

#[test]
fn hostile_names_stay_text() {
    let contents = full();
    // As long as the names they replace are short, so that nothing is cut elsewhere.
    let harmless = bones(&Dom::of(&render(&renamed(&contents, &|_| "x".to_owned()))));
    assert!(harmless.len() > 300, "{}", harmless.len());
    for name in [
        "<img src=x onerror=alert(1)>",
        "\"><script>alert(1)</script>",
        "</title></style></script><b>",
        "&amp;&lt;",
        "' onmouseover='alert(1)",
        "\u{202e}gpj.exe\u{202c}",
        "]]><!--",
    ] {
        let dom = Dom::of(&render(&renamed(&contents, &|_| name.to_owned())));
        assert_eq!(bones(&dom), harmless, "{name}");
        assert_eq!(
            dom.texts(&["article", "h3", "bdi"]),
            [format!("{name}, failure mode 2")]
        );
        assert_eq!(dom.texts(&["article", "q", "bdi"]), [name]);
        assert_eq!(dom.all(&["img"])[0].attribute("alt"), Some(name));
        let title =
            format!("Accuracy by alignment, test images of {name}, failure mode 2 (n = 12)");
        assert!(dom.texts(&["figcaption"]).contains(&&*title), "{name}");
    }
}

#[test]
fn the_policy_names_the_embedded_style_and_script_and_nothing_is_loaded() {
    let dom = Dom::of(&render(&full()));
    let one = |of: &str| -> String {
        let all = dom.texts(&[of]);
        assert_eq!(all.len(), 1, "{of}");
        all[0].to_owned()
    };
    let hash = |text: &str| {
        format!(
            "'sha256-{}'",
            STANDARD.encode(Sha256::digest(text.as_bytes()))
        )
    };
    let is_policy =
        |meta: &&&dom::Element| meta.attribute("http-equiv") == Some("Content-Security-Policy");
    let metas = dom.all(&["meta"]);
    let policy = metas
        .iter()
        .find(is_policy)
        .unwrap()
        .attribute("content")
        .unwrap();
    let has = |directive: &str, value: &str| {
        let is = policy
            .split("; ")
            .any(|part| part == format!("{directive} {value}"));
        assert!(is, "{policy} lacks {directive} {value}");
    };
    has("default-src", "'none'");
    has("img-src", "data:");
    has("style-src", &hash(&one("style")));
    has("script-src", &hash(&one("script")));
    for element in &dom.0 {
        for (name, value) in &element.attributes {
            assert!(name != "style" && !name.starts_with("on"), "{name}");
            let loads = [
                "src",
                "href",
                "srcset",
                "action",
                "data",
                "poster",
                "xlink:href",
            ]
            .contains(&&**name);
            assert!(
                !loads || value.starts_with('#') || value.starts_with("data:image/jpeg;base64,"),
                "{name}={value}"
            );
            assert!(!value.contains("://"), "{name}={value}");
        }
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !STYLE.contains("://"));
    assert!(SCRIPT.len() < 6000 && !SCRIPT.contains("innerHTML") && !SCRIPT.contains("://"));
}

/// The report with so many classes, none of which is a finding.
fn classes(n: usize) -> DetectionReport {
    let sample = samples::detection(false);
    let mut report = sample.clone();
    report.overview.first_to_fix.clear();
    report.warnings.clear();
    report.classes = (0..n)
        .map(|class| {
            let mut entry = sample.classes[0].clone();
            entry.mode.class = format!("class {class:04}");
            (entry.mode.class_index, entry.mode.mode) = (class, 0);
            (entry.mode.finding, entry.mode.standing) = (false, Standing::Chance);
            entry
        })
        .collect();
    report
}

fn bare(report: DetectionReport) -> Contents {
    Contents {
        report,
        summary: None,
        evaluation: None,
        attempts: BTreeMap::new(),
        quota: None,
        pictures: BTreeMap::new(),
    }
}

#[test]
fn a_thousand_classes_are_lines_of_a_table_and_the_page_stays_small() {
    let page = render(&bare(classes(1000)));
    assert!(page.len() < 2_000_000, "{}", page.len());
    let dom = Dom::of(&page);
    let names: BTreeSet<&str> = dom.texts(&["details", "tbody", "th"]).into_iter().collect();
    assert!((0..1000).all(|class| names.contains(&*format!("class {class:04}"))));
    assert_eq!(dom.all(&["article"]).len(), 0);
    assert_eq!(dom.all(&["img"]).len(), 0);
}

#[test]
fn more_findings_than_have_cards_are_said_to_be_in_the_table() {
    let mut report = classes(40);
    for entry in &mut report.classes {
        (entry.mode.finding, entry.mode.standing) = (true, Standing::Finding);
    }
    let dom = Dom::of(&render(&bare(report)));
    assert_eq!(dom.all(&["article"]).len(), CARDS);
    assert!(
        dom.text()
            .contains("Only the first 24 findings have a card")
    );
    let names = dom.texts(&["tbody", "th"]);
    assert_eq!(
        names
            .iter()
            .filter(|name| name.starts_with("class "))
            .count(),
        40
    );
}

#[test]
fn a_run_that_found_nothing_says_so_first() {
    let dom = Dom::of(&render(&bare(classes(3))));
    assert_eq!(
        dom.texts(&["p"])[0],
        "No failure mode was found in 2\u{a0}classes: 3\u{a0}classes had no pattern in the mistakes that chance would not make as well; \
         1\u{a0}class had too few mistakes, or too few right images, to tell."
    );
}

#[test]
fn figures_are_those_of_the_files() {
    let dom = Dom::of(&render(&full()));
    let text = dom.text();
    // `hardest` of the sample: 70 % of 2, 40 to 83 %.
    assert!(
        text.contains("70\u{a0}% (40 to 83\u{a0}%), against 17\u{a0}% of all 12"),
        "{text}"
    );
    assert!(text.contains("in 88\u{a0}% of pairs (70 to 90\u{a0}%)"));
    assert!(text.contains("6 of 9\u{a0}generated images were kept (67\u{a0}%)"));
    // The change of the failure slice and its interval.
    assert!(text.contains("\u{2212}33.3 (\u{2212}50.0 to 30.0)"));
    assert!(text.contains("q 0.333 (p below\u{a0}0.001, 199\u{a0}permutations)"));
    let plots = dom.texts(&["figcaption"]);
    for title in [
        "Alignment of validation images of dog (3 wrong, 4 right)",
        "Accuracy by alignment, test images of dog, failure mode 2 (n = 12)",
        "Mistakes among the first K test images of dog, failure mode 2 (n = 12)",
        "Captions of dog, failure mode 2 by alignment (40 tried)",
        "What became of the images generated for dog, failure mode 2 (n = 9)",
        "Images kept for dog, failure mode 2, attempt by attempt (n = 9)",
        "Accuracy by group, with the kept images against with none (5 trainings, paired by seed)",
        "Change of the error rate from the old model to the new, test split",
    ] {
        assert!(plots.contains(&title), "{title}: {plots:#?}");
    }
}

#[test]
fn plots_without_figures_are_left_out() {
    let mut report = full().report;
    report.captions = None;
    report.classes[0].val_alignments = None;
    let dom = Dom::of(&render(&bare(report)));
    assert_eq!(
        dom.all(&["svg"]).len(),
        2,
        "deciles and the heads of the ranking"
    );
    assert_eq!(dom.all(&["h2"]).len(), 4);
}

#[test]
fn every_plot_says_its_message_and_headings_are_in_order() {
    let dom = Dom::of(&render(&full()));
    for plot in dom.all(&["svg"]) {
        assert_eq!(plot.attribute("role"), Some("img"));
        assert!(plot.attribute("aria-label").unwrap().ends_with('.'));
    }
    let heads = dom
        .0
        .iter()
        .filter(|element| ["h1", "h2", "h3", "h4"].contains(&element.name()));
    let levels: Vec<u32> = heads
        .map(|head| head.name()[1..].parse().unwrap())
        .collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    assert!(
        levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
        "{levels:?}"
    );
    assert!(
        dom.all(&["th"])
            .iter()
            .all(|cell| cell.attribute("scope").is_some())
    );
    let ids: Vec<&str> = dom
        .0
        .iter()
        .filter_map(|element| element.attribute("id"))
        .collect();
    assert_eq!(
        ids.iter().collect::<BTreeSet<_>>().len(),
        ids.len(),
        "{ids:?}"
    );
}

#[test]
fn the_same_contents_give_the_same_bytes() {
    assert_eq!(render(&full()), render(&full()));
}
