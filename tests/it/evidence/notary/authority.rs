//! A timestamp authority that is made here, and its tokens, with one thing wrong.

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, CustomExtension,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SerialNumber, SigningKey,
    date_time_ymd,
};
use regent_server::image::trust::sha256;

/// While the certificate of `Fault::LeafEnded` was valid, and after that.
const WHILE_VALID: &str = "20250601000000Z";
const AFTERWARDS: &str = "20260601000000Z";
const BEFORE: &str = "20190601000000Z";

/// What is not as it should be about a token or who made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::evidence) enum Wrong {
    Nothing,
    OtherSignature,
    OtherAuthority,
    /// Another authority, and it says that it is the one.
    SameName,
    Signature,
    Digest,
    ContentType,
    NotATimestamp,
    AfterwardsSigned,
    BeforeSigned,
    AuthorityEnded,
    AuthorityForCode,
    /// Of those that bring their certificates along.
    NoPurpose,
    TwoPurposes,
    PurposeNotCritical,
    OnlyForKeys,
    Issuer,
    IntermediateEnded,
    NothingBrought,
    IntermediateNotBrought,
    OtherNamed,
    NobodyNamed,
}

/// A root, and who signs timestamps below it.
pub(in crate::evidence) struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    /// Between the root and the signer, where the signer's certificate is brought along.
    between: Option<CertifiedIssuer<'static, KeyPair>>,
    leaf: Certificate,
    key: KeyPair,
    /// The name of whoever issued the signer's certificate.
    issuer: &'static str,
}

fn serial(wrong: Wrong) -> u8 {
    if wrong == Wrong::OtherAuthority { 8 } else { 7 }
}

fn parameters(name: &str, until: i32) -> CertificateParams {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    let name_of = &mut parameters.distinguished_name;
    *name_of = rcgen::DistinguishedName::new();
    name_of.push(rcgen::DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2018, 1, 1);
    parameters.not_after = date_time_ymd(until, 1, 1);
    parameters
}

impl Authority {
    pub(in crate::evidence) fn new(wrong: Wrong) -> Self {
        let issuer = match wrong {
            Wrong::OtherAuthority => "strangers",
            _ => "stamps",
        };
        let mut root = parameters(issuer, 2030);
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
        let until = match wrong {
            Wrong::AuthorityEnded => 2024,
            _ => 2030,
        };
        let mut leaf = parameters("stamp", until);
        leaf.serial_number = Some(SerialNumber::from_slice(&[serial(wrong)]));
        leaf.extended_key_usages = vec![match wrong {
            Wrong::AuthorityForCode => ExtendedKeyUsagePurpose::CodeSigning,
            _ => ExtendedKeyUsagePurpose::TimeStamping,
        }];
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &root).unwrap();
        Self {
            root,
            between: None,
            leaf,
            key,
            issuer,
        }
    }

    /// One with an intermediate, whose tokens bring certificates along.
    pub(in crate::evidence) fn bringing(wrong: Wrong) -> Self {
        let mut authority = Self::new(wrong);
        let until = match wrong {
            Wrong::IntermediateEnded => 2024,
            _ => 2030,
        };
        authority.issuer = match wrong {
            Wrong::OtherAuthority => "strangers between",
            _ => "between",
        };
        let mut between = parameters(authority.issuer, until);
        between.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        between.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let between = CertifiedIssuer::signed_by(between, key, &authority.root).unwrap();
        let until = match wrong {
            Wrong::AuthorityEnded => 2024,
            _ => 2030,
        };
        let mut leaf = parameters("stamp", until);
        leaf.serial_number = Some(SerialNumber::from_slice(&[serial(wrong)]));
        leaf.key_usages = vec![match wrong {
            Wrong::OnlyForKeys => KeyUsagePurpose::KeyEncipherment,
            _ => KeyUsagePurpose::DigitalSignature,
        }];
        if wrong == Wrong::Issuer {
            leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let stamps = der(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, 8]]);
        let code = der(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, 3]]);
        let purposes = match wrong {
            Wrong::NoPurpose => None,
            Wrong::AuthorityForCode => Some(sequence(&[&code])),
            Wrong::TwoPurposes => Some(sequence(&[&stamps, &code])),
            _ => Some(sequence(&[&stamps])),
        };
        leaf.custom_extensions = Vec::from_iter(purposes.map(|purposes| {
            let mut purposes = CustomExtension::from_oid_content(&[2, 5, 29, 37], purposes);
            purposes.set_criticality(wrong != Wrong::PurposeNotCritical);
            purposes
        }));
        authority.leaf = leaf.signed_by(&authority.key, &between).unwrap();
        authority.between = Some(between);
        authority
    }

    /// The signer's certificate and those above it.
    pub(in crate::evidence) fn chain(&self) -> String {
        format!("{}{}", self.leaf.pem(), self.above())
    }

    /// Those above the signer's.
    pub(in crate::evidence) fn above(&self) -> String {
        let between = self.between.as_ref().map(CertifiedIssuer::pem);
        format!("{}{}", between.unwrap_or_default(), self.root.pem())
    }

    /// The root.
    pub(in crate::evidence) fn root(&self) -> String {
        self.root.pem()
    }

    /// Its certificates as a trust root has them, without the signer's.
    pub(in crate::evidence) fn certificates(&self) -> Vec<&[u8]> {
        let between = self.between.iter().map(|one| one.der().as_ref());
        between.chain([self.root.der().as_ref()]).collect()
    }

    /// What a token brings along.
    fn brought(&self, wrong: Wrong) -> Vec<u8> {
        let Some(between) = &self.between else {
            return Vec::new();
        };
        let leaf = self.leaf.der().as_ref();
        let both = match wrong {
            Wrong::NothingBrought => return Vec::new(),
            Wrong::IntermediateNotBrought => leaf.to_vec(),
            _ => [leaf, between.der().as_ref()].concat(),
        };
        der(0xa0, &[&both])
    }

    /// The attribute that names the signer's certificate.
    fn named(&self, wrong: Wrong) -> Vec<u8> {
        if self.between.is_none() || wrong == Wrong::NobodyNamed {
            return Vec::new();
        }
        let named = match wrong {
            Wrong::OtherNamed => self.root.der().as_ref(),
            _ => self.leaf.der().as_ref(),
        };
        let id = sequence(&[&der(4, &[&sha256(named)])]);
        let version_2 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];
        attribute(&version_2, &sequence(&[&sequence(&[&id])]))
    }

    /// RFC 3161's token over a signature: CMS signed data, written byte by byte.
    pub(in crate::evidence) fn token(&self, signature: &[u8], wrong: Wrong) -> Vec<u8> {
        let covered = match wrong {
            Wrong::OtherSignature => b"another".as_slice(),
            _ => signature,
        };
        let time = match wrong {
            Wrong::AfterwardsSigned => AFTERWARDS,
            Wrong::BeforeSigned => BEFORE,
            _ => WHILE_VALID,
        };
        let info = sequence(&[
            &integer(1),
            &der(6, &[&[0x2a, 3, 4]]),
            &sequence(&[&algorithm(SHA256), &der(4, &[&sha256(covered)])]),
            &integer(1),
            &der(0x18, &[time.as_bytes()]),
        ]);
        let content_type = match wrong {
            Wrong::NotATimestamp => DATA,
            _ => TST_INFO,
        };
        let (kind, digest) = match wrong {
            Wrong::ContentType => (DATA, sha256(&info)),
            Wrong::Digest => (TST_INFO, sha256(b"something else")),
            _ => (TST_INFO, sha256(&info)),
        };
        let attributes = [
            attribute(&[CONTENT_TYPE, &[3]].concat(), &der(6, &[kind])),
            attribute(&[CONTENT_TYPE, &[4]].concat(), &der(4, &[&digest])),
            self.named(wrong),
        ]
        .concat();
        let mut signature_of_it = self.key.sign(&der(0x31, &[&attributes])).unwrap();
        if wrong == Wrong::Signature {
            *signature_of_it.last_mut().unwrap() ^= 1;
        }
        let issuer = sequence(&[&der(
            0x31,
            &[&sequence(&[
                &der(6, &[&[0x55, 4, 3]]),
                &der(12, &[self.issuer.as_bytes()]),
            ])],
        )]);
        let signer = sequence(&[
            &integer(1),
            &sequence(&[&issuer, &integer(serial(wrong))]),
            &algorithm(SHA256),
            &der(0xa0, &[&attributes]),
            &algorithm(ECDSA_SHA256),
            &der(4, &[&signature_of_it]),
        ]);
        let data = sequence(&[
            &integer(3),
            &der(0x31, &[&algorithm(SHA256)]),
            &sequence(&[&der(6, &[content_type]), &der(0xa0, &[&der(4, &[&info])])]),
            &self.brought(wrong),
            &der(0x31, &[&signer]),
        ]);
        sequence(&[&der(6, &[SIGNED_DATA]), &der(0xa0, &[&data])])
    }
}

/// Object identifiers, as they are encoded.
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
/// The arc of the attributes.
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9];

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap();
    let mut bytes = vec![tag];
    match length.to_be_bytes() {
        [0, short] if short < 0x80 => bytes.push(short),
        [0, one] => bytes.extend([0x81, one]),
        [high, low] => bytes.extend([0x82, high, low]),
    }
    bytes.extend(body);
    bytes
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(0x30, parts)
}

fn integer(number: u8) -> Vec<u8> {
    der(2, &[&[number]])
}

fn algorithm(id: &[u8]) -> Vec<u8> {
    sequence(&[&der(6, &[id])])
}

fn attribute(id: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&der(6, &[id]), &der(0x31, &[value])])
}
