//! `imageRegistryCredentials`: which Secrets show registries who asks.

use crate::diagnostic::Code;

use super::fields::{Fields, Reader};

/// Names of the Secrets, as `NAME` or `NAMESPACE/NAME`.
pub(super) fn read(reader: &mut Reader<'_>, fields: &mut Fields<'_>) -> Vec<String> {
    let Some(node) = fields.take("imageRegistryCredentials") else {
        return Vec::new();
    };
    let Some(mut fields) = reader.fields(node, "imageRegistryCredentials") else {
        return Vec::new();
    };
    // Whose certificate need not be right is for whoever runs the host to say, not for policies.
    fields.refuse_true(reader, "allowInsecureRegistry");
    if let Some(node) = fields.take("providers") {
        let providers = reader.texts(node, "providers");
        if providers.iter().any(|provider| provider.value != "default") {
            let message = "`providers` have no effect: helpers of clouds are named in the server's Docker configuration";
            reader.warning(Code::InvalidValue, node.span, message);
        }
    }
    let secrets = fields.texts(reader, "secrets");
    fields.finish(reader, &[]);
    secrets.into_iter().map(|secret| secret.value).collect()
}
