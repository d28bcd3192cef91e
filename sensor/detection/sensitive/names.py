"""Names of fields that say what a value is: in: nothing; out: a table of hashed names for the kernels.

Names are compared by their letters alone: dateOfBirth, date_of_birth and DATE-OF-BIRTH are one. The one law: a name is
here because a value below it is of that kind in nearly every API, not because it may be.
"""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

_MASK = (1 << 64) - 1


class Name(IntEnum):
    NONE = 0
    PASSWORD = 1
    HEALTH = 2
    LOCATION = 3
    NATIONAL_ID = 4
    PHONE = 5


_NAMES = {
    Name.PASSWORD: "password passwd pwd passphrase passwordhash hashedpassword passwordsalt pincode secretanswer "
    "securityanswer clientsecret apisecret secretkey privatekey secretaccesskey",
    Name.HEALTH: "diagnosis diagnoses icd icdcode medication medications prescription prescriptions allergies allergy "
    "bloodtype bloodgroup medicalhistory medicalrecord medicalrecordnumber mrn patientid healthinsurancenumber "
    "nhsnumber hivstatus disability treatment symptoms vaccination bloodpressure",
    Name.LOCATION: "latitude longitude lat lng lon geolocation gps gpscoordinates lastlocation currentlocation "
    "homelocation",
    Name.NATIONAL_ID: "ssn socialsecurity socialsecuritynumber sin nationalid nationalidentifier nationalnumber "
    "idnumber identitynumber identitycard personalnumber personnummer personalcode bsn burgerservicenummer pesel cpf "
    "aadhaar aadhar aadhaarnumber uidai dni nie nif nir nis insee numerosecu taxid taxnumber taxidentifier tin "
    "steuerid steueridnr idnr steuernummer codicefiscale nino passport passportnumber pan fiscalcode nationalidnumber "
    "tfn taxfilenumber nhsno afm amka rodnecislo birthnumber svnr sozialversicherungsnummer cuit cuil niss tckn jmbg "
    "rijksregisternummer nationalregisternumber tckimlikno isikukood asmenskodas fodselsnummer mynumber kojinbango "
    "emso cnp rrn juminnumber residentregistrationnumber ahv ahvnummer avs idcard idcardno idcardnumber citizenid "
    "identitycardnumber teudatzehut",
    Name.PHONE: "phone phonenumber telephone tel telephonenumber mobile mobilenumber mobilephone cell cellphone msisdn "
    "homephone workphone contactnumber fax whatsapp",
}
TABLE_SIZE = 1_024


def word(text: str) -> np.uint64:
    """At most 8 bytes as the kernels load them."""
    return np.uint64(int.from_bytes(text.encode(), "little"))


def name_hash(name: str) -> int:
    """FNV-1a over the lower-case letters, as the kernels compute it."""
    value = 0xCBF29CE484222325
    for letter in name.lower().encode():
        if 0x61 <= letter <= 0x7A:
            value = (value ^ letter) * 0x100000001B3 & _MASK
    return value


def name_table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8]]:
    """(hashes, Name) by slot: a name is at its hash modulo TABLE_SIZE, or in the next slots."""
    hashes, kinds = np.zeros(TABLE_SIZE, np.uint64), np.zeros(TABLE_SIZE, np.uint8)
    for kind, names in _NAMES.items():
        for name in names.split():
            slot = name_hash(name) % TABLE_SIZE
            while hashes[slot]:
                slot = (slot + 1) % TABLE_SIZE
            hashes[slot], kinds[slot] = name_hash(name), kind
    return hashes, kinds
