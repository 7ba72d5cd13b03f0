//! The names of sets of characters that Go knows behind `\p`: categories of Unicode, their long names, and scripts.
//!
//! The crate knows more, properties and short names of scripts among them, which are mistakes in Go.

/// General categories, and what Go has beside them.
const CATEGORIES: &str = "\
    any ascii assigned c cc cf cn co cs l lc ll lm lo lt lu m mc me mn n nd nl no p pc pd pe pf pi po ps s sc sk sm so z \
    zl zp zs";

/// Their long names.
const LONG: &str = "\
    casedletter closepunctuation cntrl combiningmark connectorpunctuation control currencysymbol dashpunctuation \
    decimalnumber digit enclosingmark finalpunctuation format initialpunctuation letter letternumber lineseparator \
    lowercaseletter mark mathsymbol modifierletter modifiersymbol nonspacingmark number openpunctuation other \
    otherletter othernumber otherpunctuation othersymbol paragraphseparator privateuse punct punctuation separator \
    spaceseparator spacingmark surrogate symbol titlecaseletter unassigned uppercaseletter";

/// Scripts, as of Unicode 15.
const SCRIPTS: &str = "\
    adlam ahom anatolianhieroglyphs arabic armenian avestan balinese bamum bassavah batak bengali bhaiksuki bopomofo \
    brahmi braille buginese buhid canadianaboriginal carian caucasianalbanian chakma cham cherokee chorasmian common \
    coptic cuneiform cypriot cyprominoan cyrillic deseret devanagari divesakuru dogra duployan egyptianhieroglyphs \
    elbasan elymaic ethiopic georgian glagolitic gothic grantha greek gujarati gunjalagondi gurmukhi han hangul \
    hanifirohingya hanunoo hatran hebrew hiragana imperialaramaic inherited inscriptionalpahlavi inscriptionalparthian \
    javanese kaithi kannada katakana kawi kayahli kharoshthi khitansmallscript khmer khojki khudawadi lao latin lepcha \
    limbu lineara linearb lisu lycian lydian mahajani makasar malayalam mandaic manichaean marchen masaramgondi \
    medefaidrin meeteimayek mendekikakui meroiticcursive meroitichieroglyphs miao modi mongolian mro multani myanmar \
    nabataean nagmundari nandinagari newa newtailue nko nushu nyiakengpuachuehmong ogham olchiki oldhungarian olditalic \
    oldnortharabian oldpermic oldpersian oldsogdian oldsoutharabian oldturkic olduyghur oriya osage osmanya pahawhhmong \
    palmyrene paucinhau phagspa phoenician psalterpahlavi rejang runic samaritan saurashtra sharada shavian siddham \
    signwriting sinhala sogdian sorasompeng soyombo sundanese sylotinagri syriac tagalog tagbanwa taile taitham taiviet \
    takri tamil tangsa tangut telugu thaana thai tibetan tifinagh tirhuta toto ugaritic vai vithkuqi wancho warangciti \
    yezidi yi zanabazarsquare";

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    let lists = [CATEGORIES, LONG, SCRIPTS].into_iter();
    lists.flat_map(str::split_ascii_whitespace)
}

/// Whether Go knows a name that is in small letters, without blanks, hyphens and underscores.
pub(super) fn is_known(name: &str) -> bool {
    all().any(|known| known == name)
}
