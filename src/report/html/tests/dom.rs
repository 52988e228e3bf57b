//! A page as html5ever, the parser of a browser, reads it.

use std::collections::BTreeMap;

use html5ever::tendril::TendrilSink as _;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// An element with what is in it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Element {
    /// Its name and those of the elements about it, the outermost first.
    path: Vec<String>,
    /// Its attributes.
    pub(super) attributes: BTreeMap<String, String>,
    /// The text in it, of all depths.
    pub(super) text: String,
}

impl Element {
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Whether it is the last of `names`, and the others are about it in this order.
    fn is(&self, names: &[&str]) -> bool {
        let mut about = self.path.iter();
        self.name() == names[names.len() - 1]
            && names.iter().all(|name| about.any(|own| own == name))
    }
}

/// A page's elements in their order.
pub(super) struct Dom(pub(super) Vec<Element>);

impl Dom {
    /// Parses a page, which must be without errors.
    pub(super) fn of(page: &str) -> Self {
        let dom = parse_document(RcDom::default(), ParseOpts::default()).one(page);
        let errors = dom.errors.borrow();
        assert!(errors.is_empty(), "{errors:?}");
        let mut elements = Vec::new();
        walk(&dom.document, &mut Vec::new(), &mut elements);
        Self(elements)
    }

    /// The elements of a name within others.
    pub(super) fn all(&self, names: &[&str]) -> Vec<&Element> {
        self.0.iter().filter(|element| element.is(names)).collect()
    }

    /// Their texts.
    pub(super) fn texts(&self, names: &[&str]) -> Vec<&str> {
        self.all(names)
            .into_iter()
            .map(|element| &*element.text)
            .collect()
    }

    /// All text of the page.
    pub(super) fn text(&self) -> &str {
        &self.0[0].text
    }
}

fn walk(node: &Handle, path: &mut Vec<String>, found: &mut Vec<Element>) -> String {
    let element = if let NodeData::Element { name, attrs, .. } = &node.data {
        path.push(name.local.to_string());
        let attributes = attrs.borrow();
        let attributes = attributes
            .iter()
            .map(|a| (a.name.local.to_string(), a.value.to_string()));
        found.push(Element {
            path: path.clone(),
            attributes: attributes.collect(),
            text: String::new(),
        });
        Some(found.len() - 1)
    } else {
        None
    };
    let mut text = match &node.data {
        NodeData::Text { contents } => contents.borrow().to_string(),
        _ => String::new(),
    };
    for child in node.children.borrow().iter() {
        text += &walk(child, path, found);
    }
    if let Some(at) = element {
        path.pop();
        found[at].text.clone_from(&text);
    }
    text
}
