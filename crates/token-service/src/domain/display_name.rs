//! Names that people see, and decide by: of a client on the pages for signing in and consent (RFC 7591 §5).
//!
//! A name that is not seen, or that turns the direction of the words around it, has the page say something else than we wrote.

use icu_properties::props::{
    BinaryProperty as _, DefaultIgnorableCodePoint, EnumeratedProperty as _, GeneralCategory,
};

/// Most characters.
const LONGEST: usize = 100;

/// The name without blanks around it: something is seen of it, and nothing else is hidden in it.
pub(super) fn display_name(text: &str) -> Option<&str> {
    let name = text.trim();
    let characters: Vec<char> = name.chars().collect();
    let plain = (0..characters.len()).all(|at| is_plain(&characters, at));
    let good = characters.len() <= LONGEST && plain && characters.iter().any(|c| is_seen(*c));
    good.then_some(name)
}

/// Whether a reader has a shape for it. Fillers are letters by their category, and shown by nobody.
fn is_seen(c: char) -> bool {
    use GeneralCategory::{NonspacingMark, SpaceSeparator};
    const BLANK_BRAILLE: char = '\u{2800}';
    let of_others = matches!(
        GeneralCategory::for_char(c),
        NonspacingMark | SpaceSeparator
    );
    !of_others && c != BLANK_BRAILLE && !DefaultIgnorableCodePoint::for_char(c)
}

/// Controls, what ends lines and what only computers read (Bidi_Control, tags) are in no name, nor is what no standard has given
/// a shape.
fn is_plain(name: &[char], at: usize) -> bool {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, Unassigned,
    };
    match GeneralCategory::for_char(name[at]) {
        Format => joins(name, at),
        Control | LineSeparator | ParagraphSeparator | PrivateUse | Unassigned => false,
        _ if DefaultIgnorableCodePoint::for_char(name[at]) => chooses_a_shape(name, at),
        _ => true,
    }
}

/// Emoji and Han characters have several shapes, and say which; behind a Latin letter that would be seen by nobody.
fn chooses_a_shape(name: &[char], at: usize) -> bool {
    let selector = matches!(name[at], '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    selector && at > 0 && !name[at - 1].is_ascii() && is_seen(name[at - 1])
}

/// Persian and Hindi words need the joiner and the non-joiner, and so do families of emoji; between Latin letters they would
/// only make another name look the same.
fn joins(name: &[char], at: usize) -> bool {
    let may_meet = |at: usize| {
        let neighbour = name.get(at);
        neighbour.is_some_and(|c| {
            !c.is_ascii() && GeneralCategory::for_char(*c) != GeneralCategory::Format
        })
    };
    matches!(name[at], '\u{200c}' | '\u{200d}') && at > 0 && may_meet(at - 1) && may_meet(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_every_script() {
        for name in [
            "x",
            "Ärzte & Söhne <GmbH>",
            "שלום 123",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "👩\u{200d}💻 Code",
            "❤\u{fe0f}\u{200d}🔥",
            "好",
            "e\u{301}",
        ] {
            assert_eq!(display_name(name), Some(name), "{name:?}");
        }
        assert_eq!(display_name("  An app\n"), Some("An app"));
        assert!(display_name(&"ä".repeat(100)).is_some());
        assert!(display_name(&"ä".repeat(101)).is_none());
    }

    #[test]
    fn rfc7591_5_names_that_are_not_what_they_look_like() {
        for name in [
            "",
            " \u{3000} ",
            "a\nb",
            "a\u{7f}",
            "\u{200b}",
            "\u{feff}",
            "\u{3164}",
            "\u{2800}",
            "\u{fe0f}",
            "\u{301}",
            "x\u{2028}y",
            "x\u{2029}y",
            "x\u{e0041}",
            "\u{202e}gnitset elgooG",
            "\u{2066}x",
            "a\u{ad}b",
            "Goo\u{200d}gle",
            "Goo\u{34f}gle",
            "Goo\u{3164}gle",
            "Goo\u{fe0f}gle",
            "Goo\u{115f}gle",
            "❤\u{fe0f}\u{fe0f}",
            "好\u{200d}",
            "好\u{200d}\u{200c}好",
            "x\u{e000}",
            "x\u{378}",
            "x\u{ffff}",
        ] {
            assert_eq!(display_name(name), None, "{name:?}");
        }
    }
}
