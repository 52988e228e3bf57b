//! The page that shows all sheets of a run: one file, no scripts, nothing fetched from elsewhere.

use std::fmt::Write as _;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;color:#3c4043;background:#fff;\
max-width:72rem;margin:2rem auto;padding:0 1rem}\
img{max-width:100%;height:auto;border:1px solid #dadce0}";

/// The page, of a title and `(title, path, sentence)` for every sheet.
///
/// Paths are relative to the page, with `/`. All text is escaped.
pub fn html(title: &str, sheets: &[(String, String, String)]) -> String {
    let title = escape(title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    // Writing to a string cannot fail.
    if sheets.is_empty() {
        page.push_str("<p>No failure mode has a sheet.</p>\n");
    } else {
        page.push_str("<ul>\n");
        for (number, (mode, ..)) in (1..).zip(sheets) {
            let _ = writeln!(
                page,
                "<li><a href=\"#sheet-{number}\">{}</a></li>",
                escape(mode)
            );
        }
        page.push_str("</ul>\n");
    }
    for (number, (mode, path, sentence)) in (1..).zip(sheets) {
        let (mode, sentence, path) = (escape(mode), escape(sentence), address(path));
        let _ = writeln!(
            page,
            "<section id=\"sheet-{number}\">\n<h2>{mode}</h2>\n<p>{sentence}</p>\n\
             <a href=\"{path}\"><img src=\"{path}\" alt=\"Contact sheet: {mode}\" loading=\"lazy\"></a>\n\
             </section>"
        );
    }
    page.push_str("</body>\n</html>\n");
    page
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// A relative path as a URL; `./` before it, lest `a:b.png` be taken for a scheme.
fn address(path: &str) -> String {
    let mut out = String::from("./");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(mode: &str, path: &str, sentence: &str) -> String {
        html(
            "run",
            &[(mode.to_owned(), path.to_owned(), sentence.to_owned())],
        )
    }

    #[test]
    fn text_is_escaped() {
        let page = one("<script>\"x'", "a.png", "a & b");
        assert!(!page.contains("<script"), "{page}");
        assert!(
            page.contains("<h2>&lt;script&gt;&quot;x&#39;</h2>"),
            "{page}"
        );
        assert!(page.contains("<p>a &amp; b</p>"), "{page}");
        assert!(html("a<b", &[]).contains("<title>a&lt;b</title>"));
    }

    #[test]
    fn paths_are_addresses() {
        let page = one("cat", "sheets/old cat#1\".png", "");
        assert!(
            page.contains("src=\"./sheets/old%20cat%231%22.png\""),
            "{page}"
        );
        assert!(one("cat", "javascript:x", "").contains("src=\"./javascript%3Ax\""));
    }

    #[test]
    fn sheets_stand_in_order_and_none_says_so() {
        let sheet = |name: &str| (name.to_owned(), format!("{name}.png"), String::new());
        let page = html("run", &[sheet("b"), sheet("a")]);
        assert!(page.find("./b.png") < page.find("./a.png"));
        assert_eq!(page.matches("<img").count(), 2);
        assert!(html("run", &[]).contains("No failure mode"));
    }
}
