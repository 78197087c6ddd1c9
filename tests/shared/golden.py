"""What training each case of ``cases.py`` must give: (CRC-32 of the weights, CRC-32 of the results).

Made by the plain engine: ``python tests/shared/run.py --write``.
"""

GOLDEN = {
    0: (0x72136634, 0x5AEDF3AC),
    1: (0xCF2D7DD7, 0x93825106),
    2: (0x2D8FEFAF, 0xD1AC5298),
    3: (0x074D551A, 0x3C8FA74D),
    4: (0xCD6D83D5, 0x8F4D5DCC),
    5: (0x6CF4E14E, 0x1A835529),
    6: (0x67CEFD40, 0x54ACEFE4),
    7: (0x53095C54, 0xAA45B781),
    8: (0xDCA66497, 0x500EADEE),
    9: (0xAD3551F5, 0x1F336558),
    10: (0x4877FFE5, 0x2F8FE81E),
    11: (0x215F9CB0, 0x6DD9A27B),
    12: (0x1661C8B0, 0x3B289C28),
    13: (0x346BE2D6, 0x839301D0),
    14: (0x06D515BD, 0x00570C46),
    15: (0x3EB684F5, 0x87851BE5),
    16: (0xED47F17F, 0xA9E37E98),
    17: (0x07788E16, 0xCD58966C),
    18: (0x64CC9393, 0x01D1F92C),
    19: (0xDB26C8BE, 0xF122244A),
    20: (0xCA352BB9, 0xAE458EE3),
    21: (0xC86EB0D1, 0x646A5F06),
    22: (0xF19B7FF7, 0x93FE3B9C),
    23: (0xE7722598, 0x7E55A746),
}
