//! Files with the names of classes: lists, lists with ids, and the label maps of the Object Detection API.

use super::error::Fault;

/// The most classes that are accepted: with the background as many as [`detector::decode::Decoder`] supports.
pub(super) const MAX_CLASSES: usize = u16::MAX as usize - 1;

/// The names in `text`, each at its class id where the file gives ids, else in the order of the lines. Blank entries
/// are ids that are not used; there are none at the end.
///
/// # Errors
/// [`Fault::LabelFile`] for an id that occurs twice or a damaged label map; [`Fault::TooMany`] for a large id.
pub(super) fn parse(text: &str, from: &str) -> Result<Vec<String>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_label_map(text) {
        return by_id(label_map(text).ok_or_else(|| fault(from, "it is a damaged label map"))?, from);
    }
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim).collect();
    let numbered: Option<Vec<(usize, String)>> = lines.iter().filter(|l| !l.is_empty()).map(|l| numbered(l)).collect();
    match numbered {
        Some(entries) => by_id(entries, from),
        None => Ok(lines.into_iter().map(str::to_owned).collect()),
    }
}

fn fault(from: &str, reason: &str) -> Fault {
    Fault::LabelFile { from: from.to_owned(), reason: reason.to_owned() }
}

/// `0 face`, `0: face` or `0,face`.
fn numbered(line: &str) -> Option<(usize, String)> {
    let (id, name) = line.split_once(|c: char| c.is_whitespace() || matches!(c, ':' | ','))?;
    let name = name.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ':' | ',')).trim_matches('"');
    (!name.is_empty()).then_some((id.parse().ok()?, name.to_owned()))
}

fn by_id(entries: Vec<(usize, String)>, from: &str) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for (id, name) in entries {
        if id > MAX_CLASSES {
            return Err(Fault::TooMany { what: "classes", max: MAX_CLASSES });
        }
        names.resize(names.len().max(id + 1), String::new());
        if !names[id].is_empty() {
            return Err(fault(from, &format!("{name} and {} both have the id {id}", names[id])));
        }
        names[id] = name;
    }
    Ok(names)
}

fn is_label_map(text: &str) -> bool {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    line.and_then(|line| line.strip_prefix("item")).is_some_and(|rest| {
        let rest = rest.trim_start().trim_start_matches(':').trim_start();
        rest.is_empty() || rest.starts_with('{')
    })
}

/// The ids and names of a label map in protobuf's text form; `display_name` comes before `name`. `None` when it is
/// damaged.
fn label_map(text: &str) -> Option<Vec<(usize, String)>> {
    let mut tokens = tokens(text)?.into_iter().peekable();
    let mut entries = Vec::new();
    while let Some(token) = tokens.next() {
        (token == "item").then_some(())?;
        tokens.next_if_eq(":");
        (tokens.next()? == "{").then_some(())?;
        let (mut id, mut name, mut shown) = (None, None, None);
        loop {
            let key = tokens.next()?;
            if key == "}" {
                break;
            }
            (tokens.next()? == ":").then_some(())?;
            let value = tokens.next()?;
            match key.as_str() {
                "id" => id = Some(value.parse().ok()?),
                "name" => name = Some(value),
                "display_name" => shown = Some(value),
                _ => {}
            }
        }
        entries.push((id?, shown.or(name)?));
    }
    Some(entries)
}

/// Words, quoted texts without their quotes, and the signs `{`, `}` and `:`; `None` for a text that does not end.
fn tokens(text: &str) -> Option<Vec<String>> {
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next().filter(|&c| c != '#') {
            let end = match first {
                '"' | '\'' => {
                    let end = 1 + rest[1..].find(first)?;
                    tokens.push(rest[1..end].to_owned());
                    end + 1
                }
                '{' | '}' | ':' => {
                    tokens.push(first.to_string());
                    1
                }
                ',' | ';' => 1,
                _ => {
                    let end = rest.find(|c: char| c.is_whitespace() || "{}:,;#".contains(c)).unwrap_or(rest.len());
                    tokens.push(rest[..end].to_owned());
                    end
                }
            };
            rest = rest[end..].trim_start();
        }
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_order_mark_and_blank_lines_at_the_end_are_dropped() {
        assert_eq!(parse("\u{feff}face\r\n\r\n \n", "f").unwrap(), ["face"]);
        assert_eq!(parse("cat\n\ndog\n", "f").unwrap(), ["cat", "", "dog"], "a blank line in between is an unused id");
    }

    #[test]
    fn ids_before_the_names_are_read() {
        assert_eq!(parse("0 face\n", "f").unwrap(), ["face"]);
        assert_eq!(parse("0  person\n2: traffic light\n", "f").unwrap(), ["person", "", "traffic light"]);
        assert_eq!(parse("1,cat\n2,dog\n", "f").unwrap(), ["", "cat", "dog"]);
        assert_eq!(parse("cat\n2 dogs\n", "f").unwrap(), ["cat", "2 dogs"], "not every line has an id");
        let error = parse("1 cat\n1 dog\n", "f").unwrap_err().to_string();
        assert!(error.contains("dog and cat both have the id 1"), "{error}");
        assert!(parse("4000000000 cat\n", "f").unwrap_err().to_string().contains("more than 65534 classes"));
    }

    #[test]
    fn label_maps_are_read() {
        let map = "# two\nitem {\n  name: \"/m/01yrx\"\n  id: 2 # cat\n  display_name: 'cat'\n}\nitem: { id: 1, name: \"item\" }";
        assert_eq!(parse(map, "f").unwrap(), ["", "item", "cat"]);
        for damaged in ["item {\n id: 1\n", "item {\n name: \"a\n}", "item { id: 1 }", "item { id: x name: \"a\" }"] {
            assert!(parse(damaged, "f").unwrap_err().to_string().contains("damaged label map"), "{damaged}");
        }
        assert_eq!(parse("items\nitem tag\n", "f").unwrap(), ["items", "item tag"], "a list of names");
    }
}
