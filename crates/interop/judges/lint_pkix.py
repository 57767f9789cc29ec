"""What pkilint finds in certificates, by the validators of its `lint_pkix_cert`: lint_pkix.py FILE.der... prints {FILE: [codes]} as JSON, the
codes being those of ERROR and FATAL. One process for all of them: to start pkilint takes longer than to lint a hundred."""

import json
import logging
import sys

from pkilint import loader
from pkilint.pkix import certificate, extension, name
from pkilint.validation import ValidationFindingSeverity

logging.disable(logging.CRITICAL)
validator = certificate.create_pkix_certificate_validator_container(
    certificate.create_decoding_validators(
        name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
    ),
    [
        certificate.create_issuer_validator_container([]),
        certificate.create_validity_validator_container(),
        certificate.create_subject_validator_container([]),
        certificate.create_extensions_validator_container([]),
        certificate.create_spki_validator_container([]),
    ],
)


def codes(path):
    with open(path, "rb") as file:
        der = file.read()
    try:
        results = validator.validate(loader.load_certificate(der, path).root)
    except ValueError as error:
        return [f"cannot be read: {error}"]
    return sorted(
        {
            described.finding.code
            for result in results
            for described in result.finding_descriptions
            if described.finding.severity <= ValidationFindingSeverity.ERROR
        }
    )


print(json.dumps({path: codes(path) for path in sys.argv[1:]}))
