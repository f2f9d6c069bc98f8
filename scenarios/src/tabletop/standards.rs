//! Names of what discussion questions belong to, so that nobody misspells a reference.

/// Categories of the NIST Cybersecurity Framework 2.0 (NIST CSWP 29, February 2024, appendix A).
const CSF: [(&str, &str); 22] = [
    ("GV.OC", "Organizational Context"),
    ("GV.RM", "Risk Management Strategy"),
    ("GV.RR", "Roles, Responsibilities, and Authorities"),
    ("GV.PO", "Policy"),
    ("GV.OV", "Oversight"),
    ("GV.SC", "Cybersecurity Supply Chain Risk Management"),
    ("ID.AM", "Asset Management"),
    ("ID.RA", "Risk Assessment"),
    ("ID.IM", "Improvement"),
    ("PR.AA", "Identity Management, Authentication, and Access Control"),
    ("PR.AT", "Awareness and Training"),
    ("PR.DS", "Data Security"),
    ("PR.PS", "Platform Security"),
    ("PR.IR", "Technology Infrastructure Resilience"),
    ("DE.CM", "Continuous Monitoring"),
    ("DE.AE", "Adverse Event Analysis"),
    ("RS.MA", "Incident Management"),
    ("RS.AN", "Incident Analysis"),
    ("RS.CO", "Incident Response Reporting and Communication"),
    ("RS.MI", "Incident Mitigation"),
    ("RC.RP", "Incident Recovery Plan Execution"),
    ("RC.CO", "Incident Recovery Communication"),
];

/// Requirements of IEC 62443-3-3:2013 that a tabletop may name.
const IEC: [(&str, &str); 20] = [
    ("SR 1.1", "Human user identification and authentication"),
    ("SR 1.3", "Account management"),
    ("SR 1.13", "Access via untrusted networks"),
    ("SR 2.1", "Authorization enforcement"),
    ("SR 2.5", "Session lock"),
    ("SR 2.6", "Remote session termination"),
    ("SR 2.8", "Auditable events"),
    ("SR 2.11", "Timestamps"),
    ("SR 2.12", "Non-repudiation"),
    ("SR 3.5", "Input validation"),
    ("SR 3.6", "Deterministic output"),
    ("SR 5.1", "Network segmentation"),
    ("SR 5.2", "Zone boundary protection"),
    ("SR 6.1", "Audit log accessibility"),
    ("SR 6.2", "Continuous monitoring"),
    ("SR 7.1", "Denial of service protection"),
    ("SR 7.3", "Control system backup"),
    ("SR 7.4", "Control system recovery and reconstitution"),
    ("SR 7.6", "Network and security configuration settings"),
    ("SR 7.8", "Control system component inventory"),
];

/// Name of a CSF category, `DE.AE`.
pub fn csf(id: &str) -> Option<&'static str> {
    CSF.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

/// Name of a system requirement, `SR 2.8`.
pub fn iec(id: &str) -> Option<&'static str> {
    IEC.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}
