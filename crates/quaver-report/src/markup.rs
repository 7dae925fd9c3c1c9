//! HTML and SVG text, balanced and escaped by construction: an element is closed by whoever opens it, and there is
//! no way to add text that is not escaped but one for this crate's own style sheet and script.

use std::fmt::Write;

/// A document, or a piece of one, being written.
#[derive(Debug, Default)]
pub(crate) struct Markup {
    out: String,
}

/// The attributes of an element, in order.
pub(crate) type Attributes<'a> = &'a [(&'a str, &'a str)];

impl Markup {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Text, escaped.
    pub(crate) fn text(&mut self, text: &str) {
        escape_into(&mut self.out, text);
    }

    /// An element with what `inside` writes between its tags.
    pub(crate) fn element(
        &mut self,
        tag: &str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.start(tag, attributes);
        self.out.push('>');
        inside(self);
        self.out.extend(["</", tag, ">"]);
    }

    /// An element that holds text alone.
    pub(crate) fn leaf(&mut self, tag: &str, attributes: Attributes<'_>, text: &str) {
        self.element(tag, attributes, |inside| inside.text(text));
    }

    /// An element that holds text alone, whose long names may be broken where a reader would.
    pub(crate) fn phrase(&mut self, tag: &str, attributes: Attributes<'_>, text: &str) {
        self.element(tag, attributes, |inside| inside.words(text));
    }

    /// Text in which a long name (of a file, a measure, a layer) stays whole where a line has room for it, and elsewhere
    /// may be broken after `_`, `/` and `.`: a browser by itself breaks it in the middle of a word.
    pub(crate) fn words(&mut self, text: &str) {
        const LONG: usize = 14;
        for word in text.split_inclusive(char::is_whitespace) {
            let name = word.trim_end();
            let pieces: Vec<&str> = name.split_inclusive(['_', '/', '.']).collect();
            if name.chars().count() < LONG || pieces.len() < 2 {
                self.text(word);
                continue;
            }
            self.element("span", &[("class", "long")], |long| {
                for (number, piece) in pieces.into_iter().enumerate() {
                    if number > 0 {
                        long.void("wbr", &[]);
                    }
                    long.text(piece);
                }
            });
            self.text(&word[name.len()..]);
        }
    }

    /// An element without content: `<img>`, `<path/>`.
    pub(crate) fn void(&mut self, tag: &str, attributes: Attributes<'_>) {
        self.start(tag, attributes);
        self.out.push_str("/>");
    }

    /// A line break in the source, for people who read it.
    pub(crate) fn line(&mut self) {
        self.out.push('\n');
    }

    /// What this crate itself brings along: its style sheet, its script, its doctype. Never anything from outside.
    pub(crate) fn own(&mut self, source: &'static str) {
        self.out.push_str(source);
    }

    /// Data for the script, inside an element that holds nothing else. `<` would end it, and is written as an escape.
    pub(crate) fn json(&mut self, data: &serde_json::Value) {
        for c in data.to_string().chars() {
            match c {
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                    let _ = write!(self.out, "\\u{:04x}", u32::from(c));
                }
                c => self.out.push(c),
            }
        }
    }

    /// A piece that was written on its own.
    pub(crate) fn append(&mut self, piece: Markup) {
        self.out.push_str(&piece.out);
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn start(&mut self, tag: &str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.extend([" ", name, "=\""]);
            escape_into(&mut self.out, value);
            self.out.push('"');
        }
    }
}

/// A coordinate with two decimals at most, which is finer than any screen.
pub(crate) fn coordinate(value: f64) -> String {
    let mut text = String::new();
    push_coordinate(&mut text, value);
    text
}

pub(crate) fn push_coordinate(text: &mut String, value: f64) {
    let start = text.len();
    let _ = write!(text, "{value:.2}");
    while text.ends_with('0') {
        text.pop();
    }
    if text.ends_with('.') {
        text.pop();
    }
    if &text[start..] == "-0" {
        text.replace_range(start.., "0");
    }
}

fn escape_into(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            // No other control character may stand in HTML.
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_text_and_attributes() {
        let mut markup = Markup::new();
        markup.element("p", &[("title", "\"><script>")], |p| {
            p.text("<script>alert('&')</script>\u{0}");
            p.void("br", &[]);
        });
        assert_eq!(
            markup.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;\u{fffd}<br/></p>"
        );
    }

    #[test]
    fn long_names_break_between_their_parts() {
        let mut markup = Markup::new();
        markup.words("fi_lambda of a_long_name.onnx &\nsoftly <unbreakable>.");
        let text = "fi_lambda of <span class=\"long\">a_<wbr/>long_<wbr/>name.<wbr/>onnx</span> &amp;\nsoftly \
                    &lt;unbreakable&gt;.";
        assert_eq!(markup.finish(), text);
    }

    #[test]
    fn data_cannot_end_their_element() {
        let data = serde_json::json!({"<": "</script><!-- & \u{2028}"});
        let mut markup = Markup::new();
        markup.json(&data);
        let text = markup.finish();
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, data);
    }

    #[test]
    fn coordinates_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (-0.001, "0"),
            (1.5, "1.5"),
            (100.0, "100"),
            (2.345_6, "2.35"),
        ] {
            assert_eq!(coordinate(value), text);
        }
    }
}
