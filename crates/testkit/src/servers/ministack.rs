//! ministack, an emulator of AWS: faithful in key states and stage moves.
