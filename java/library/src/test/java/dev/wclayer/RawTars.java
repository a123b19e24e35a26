package dev.wclayer;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Tars block by block: what no library would write, or not in this form. */
final class RawTars {
    static final int BLOCK = 512;
    private static final long MAX_OCTAL = (1L << 33) - 1;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** One entry, as its header says it. */
    static final class Entry {
        final String name;
        final char type;
        int mode;
        long seconds = 1_700_000_000L;
        String link = "";
        byte[] data = {};
        long size = -1;
        final Map<String, String> records = new TreeMap<>();

        Entry(String name, char type) {
            this.name = name;
            this.type = type;
            this.mode = switch (type) {
                case '5' -> 0040000;
                case '2' -> 0120000;
                case '1' -> 0644;
                default -> 0100000;
            };
        }

        Entry data(String text) {
            return data(text.getBytes(StandardCharsets.UTF_8));
        }

        Entry data(byte[] bytes) {
            data = bytes.clone();
            return this;
        }

        Entry link(String target) {
            link = target;
            return this;
        }

        Entry mode(int value) {
            mode = value;
            return this;
        }

        Entry time(long value) {
            seconds = value;
            return this;
        }

        /** Another size than that of the data. */
        Entry size(long value) {
            size = value;
            return this;
        }

        Entry record(String key, String value) {
            records.put(key, value);
            return this;
        }
    }

    static Entry file(String name, String content) {
        return new Entry(name, '0').data(content);
    }

    static Entry folder(String name) {
        return new Entry(name, '5');
    }

    static Entry hardLink(String name, String target) {
        return new Entry(name, '1').link(target);
    }

    static Entry symbolicLink(String name, String target) {
        return new Entry(name, '2').link(target);
    }

    static byte[] tar(Entry... entries) {
        RawTars tar = new RawTars();
        for (Entry entry : entries) {
            tar.add(entry);
        }
        return tar.finish();
    }

    /** The entry with an extended header for its records; names that do not fit a header become records. */
    RawTars add(Entry entry) {
        Map<String, String> records = new TreeMap<>(entry.records);
        if (!fits(entry.name)) {
            records.putIfAbsent("path", entry.name);
        }
        if (!fits(entry.link)) {
            records.putIfAbsent("linkpath", entry.link);
        }
        if (!records.isEmpty()) {
            byte[] extended = records(records);
            header("PaxHeaders.0/x", 'x', 0, extended.length, 0, "");
            data(extended);
        }
        long size = entry.size < 0 ? entry.data.length : entry.size;
        header(entry.name, entry.type, entry.mode, size, entry.seconds, entry.link);
        return data(entry.data);
    }

    /** A global extended header. */
    RawTars global(Map<String, String> records) {
        byte[] extended = records(records);
        header("GlobalHead.0.0", 'g', 0, extended.length, 0, "");
        return data(extended);
    }

    RawTars data(byte[] data) {
        out.writeBytes(data);
        out.writeBytes(new byte[(BLOCK - data.length % BLOCK) % BLOCK]);
        return this;
    }

    byte[] finish() {
        out.writeBytes(new byte[2 * BLOCK]);
        return out.toByteArray();
    }

    /** What there is, without padding of the last entry and without an end. */
    byte[] cutBehind(int bytes) {
        return Arrays.copyOf(out.toByteArray(), out.size() - bytes);
    }

    private static boolean fits(String name) {
        return name.length() <= 100 && name.chars().allMatch(c -> c < 0x80);
    }

    static byte[] records(Map<String, String> records) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        records.forEach((key, value) -> bytes.writeBytes(record(key, value)));
        return bytes.toByteArray();
    }

    static byte[] record(String key, String value) {
        byte[] rest = (" " + key + "=" + value + "\n").getBytes(StandardCharsets.UTF_8);
        int length = rest.length + 1;
        while (length != rest.length + Integer.toString(length).length()) {
            length = rest.length + Integer.toString(length).length();
        }
        byte[] digits = Integer.toString(length).getBytes(StandardCharsets.US_ASCII);
        byte[] all = Arrays.copyOf(digits, length);
        System.arraycopy(rest, 0, all, digits.length, rest.length);
        return all;
    }

    RawTars header(String name, char type, int mode, long size, long seconds, String link) {
        byte[] block = new byte[BLOCK];
        text(block, 0, 100, name);
        number(block, 100, 8, mode);
        number(block, 108, 8, 0);
        number(block, 116, 8, 0);
        number(block, 124, 12, size);
        number(block, 136, 12, seconds);
        block[156] = (byte) type;
        text(block, 157, 100, link);
        text(block, 257, 8, "ustar\00000");
        return sealed(block);
    }

    /** A header with its checksum set. */
    RawTars sealed(byte[] block) {
        out.writeBytes(seal(block));
        return this;
    }

    static byte[] seal(byte[] block) {
        byte[] sealed = block.clone();
        Arrays.fill(sealed, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte b : sealed) {
            sum += b & 0xff;
        }
        text(sealed, 148, 8, String.format(Locale.ROOT, "%06o\0 ", sum));
        return sealed;
    }

    private static void text(byte[] block, int at, int width, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        System.arraycopy(bytes, 0, block, at, Math.min(bytes.length, width));
    }

    private static void number(byte[] block, int at, int width, long value) {
        if (value >= 0 && value <= MAX_OCTAL) {
            text(block, at, width, String.format(Locale.ROOT, "%0" + (width - 1) + "o", value));
            return;
        }
        for (int i = width - 1; i >= 0; i--) {
            block[at + i] = (byte) (i >= width - 8 ? value >> (8 * (width - 1 - i)) : value >> 63);
        }
        block[at] |= (byte) 0x80;
    }
}
