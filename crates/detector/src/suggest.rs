//! "Did you mean ...?", for every name a user can mistype.

/// Below this likeness, 0 to 1, a name is no help.
const LEAST: f64 = 0.5;

/// The one of `known` that `word` was probably meant to be, upper and lower case alike.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(&known.to_lowercase(), &word);
    let rated = known.into_iter().map(|known| (likeness(known), known));
    rated.filter(|(likeness, _)| *likeness >= LEAST).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// `; did you mean "x"?`, or nothing.
pub fn hint(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = ["fps", "width", "traffic light", "trt_fp16_enable"];
        for (word, want) in [
            ("fsp", Some("fps")),
            ("Width", Some("width")),
            ("trafic light", Some("traffic light")),
            ("trt_fp16", Some("trt_fp16_enable")),
            ("zebra", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), want, "{word}");
        }
        assert_eq!(hint(nearest("fsp", known)), "; did you mean \"fps\"?");
        assert_eq!(hint(None), "");
    }
}
