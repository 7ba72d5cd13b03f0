//! Text of guests, which nobody may trust: cleaned and cut before anybody sees it.

/// The text without control characters and what changes the direction of writing, at most `most` bytes long.
pub fn clean(text: &str, most: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(most));
    for character in text.trim().chars() {
        let shown = if is_shown(character) { character } else { ' ' };
        if cleaned.len() + shown.len_utf8() > most {
            while cleaned.len() + '…'.len_utf8() > most && cleaned.pop().is_some() {}
            cleaned.push('…');
            return cleaned;
        }
        cleaned.push(shown);
    }
    cleaned
}

/// The same of bytes that should be text.
pub fn clean_bytes(bytes: &[u8], most: usize) -> String {
    // Four bytes are the longest character, so that the cut is made by characters.
    let some = bytes.get(..most.saturating_add(4)).unwrap_or(bytes);
    clean(&String::from_utf8_lossy(some), most)
}

/// Whether a character is only what it looks like.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What a guest says went wrong, without what it may repeat of the request: common kits put the whole payload behind their
/// message, and an object may be a Secret.
pub fn reason(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..super::bounds::ERROR_TEXT).unwrap_or(bytes));
    let end = text.find(['{', '[']).unwrap_or(text.len());
    let shown = text.get(..end).unwrap_or("");
    let cut = if end < text.len() { " …" } else { "" };
    said(clean(shown, REASON), cut)
}

/// The same of settings: all that can be repeated stands in the policy, and what is wrong is often said behind it.
pub fn reason_about_settings(bytes: &[u8]) -> String {
    said(clean_bytes(bytes, REASON), "")
}

/// The most bytes of a reason.
const REASON: usize = 512;

fn said(reason: String, cut: &str) -> String {
    if reason.is_empty() {
        "it did not say why".to_owned()
    } else {
        reason + cut
    }
}
