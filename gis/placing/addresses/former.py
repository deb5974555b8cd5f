"""Former districts, provinces and names of units of Lào Cai and Yên Bái, which people still write.

Districts until early 2020: resolutions 871/NQ-UBTVQH14 (Yên Bái) and 896/NQ-UBTVQH14 (Lào Cai).
The names of wards that were merged then are aliases of the units themselves.
"""

BAT_XAT, VAN_CHAN = "082", "140"

# Code of the ward until 2025 → code of its district until 2020.
FORMER_DISTRICT = {
    "02746": BAT_XAT,  # Cốc San, then joined to the city of Lào Cai
    "04624": VAN_CHAN,  # farm town Nghĩa Lộ; this and the next joined to the town of Nghĩa Lộ
    "04660": VAN_CHAN,  # Sơn A
    "04663": VAN_CHAN,  # Phù Nham
    "04675": VAN_CHAN,  # Thanh Lương
    "04678": VAN_CHAN,  # Hạnh Sơn
    "04681": VAN_CHAN,  # Phúc Sơn
    "04684": VAN_CHAN,  # Thạch Lương
}

# A province that both provinces were in, from 1976 to 1991 (codes of the provinces until 2025).
FORMER_PROVINCES = {"Hoàng Liên Sơn": ("10", "15")}

# Code of the ward until 2025 → other spellings of its name. Without its type it is the mountain.
MOUNTAINS = {"03006": ("Fansipan", "Fanxipan", "Fansipang", "Fanxipang", "Phanxipan", "Phansipan")}
