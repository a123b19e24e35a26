package dev.wclayer.benchmarks.data;

import java.nio.charset.StandardCharsets;
import java.util.Random;

/** The bytes of one file, made from its seed while they are read: one array at a time, never the whole file. */
final class Payload {
    /** Sorts of content, with how often Windows images have them. */
    enum Kind {
        /** Machine code, tables and zeros, as in executables: gzip makes 1/2.4 of it. */
        EXECUTABLE,
        /** XML as in manifests. */
        TEXT,
        /** Compressed or signed already. */
        NOISE
    }

    private static final int HISTORY = 4 << 10;
    private static final byte[][] CODE = code();
    private static final byte[][] WORDS = words();

    private final Kind kind;
    private final byte[] block;
    private long state;
    private int made;

    /**
     * Starts a file.
     *
     * @param kind its sort
     * @param seed what it follows from
     * @param block where its bytes are made, overwritten again and again; at least 8 KiB
     */
    Payload(Kind kind, long seed, byte[] block) {
        this.kind = kind;
        this.block = block;
        this.state = seed * 0x9E3779B97F4A7C15L + 0x5EED;
    }

    /** Makes the next {@code length} bytes, at the start of the block. */
    void next(int length) {
        made = 0;
        while (made < length) {
            switch (kind) {
                case EXECUTABLE -> executable(length);
                case TEXT -> text(length);
                case NOISE -> number(random(), 8, length);
            }
        }
    }

    private void executable(int length) {
        long dice = random();
        int choice = (int) (dice & 0xff);
        long rest = dice >>> 8;
        if (choice < 116) {
            append(CODE[skewed(rest, CODE.length)], length);
        } else if (choice < 188) {
            number(rest, 4, length);
        } else if (choice < 214) {
            number(rest & 0xfff, 4, length); // a small number of 32 bits
        } else if (choice < 246 && made > HISTORY) {
            repeat((int) (rest % HISTORY) + 1, 8 + (int) ((rest >>> 16) & 31), length);
        } else {
            number(0, 8, length);
        }
    }

    private void text(int length) {
        long dice = random();
        append(WORDS[skewed(dice, WORDS.length)], length);
        if ((dice >>> 40) % 2 == 0) {
            number(hexadecimal(random()), 8, length);
        }
    }

    /** Small indices often, large ones seldom. */
    private static int skewed(long dice, int count) {
        double unit = (dice & 0xffffff) / (double) 0x1000000;
        return (int) (unit * unit * count);
    }

    private static long hexadecimal(long dice) {
        long text = 0;
        for (int i = 0; i < 8; i++) {
            int digit = (int) (dice >>> (4 * i)) & 15;
            text = text << 8 | (digit < 10 ? '0' + digit : 'a' + digit - 10);
        }
        return text;
    }

    private void append(byte[] bytes, int length) {
        int count = Math.min(bytes.length, length - made);
        System.arraycopy(bytes, 0, block, made, count);
        made += count;
    }

    private void number(long value, int bytes, int length) {
        int count = Math.min(bytes, length - made);
        for (int i = 0; i < count; i++) {
            block[made++] = (byte) (value >>> (8 * i));
        }
    }

    private void repeat(int distance, int count, int length) {
        int end = Math.min(length, made + count);
        for (; made < end; made++) {
            block[made] = block[made - distance];
        }
    }

    private long random() {
        state += 0x9E3779B97F4A7C15L;
        long z = state;
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** What executables repeat: instruction sequences of 3 to 12 bytes. */
    private static byte[][] code() {
        Random random = new Random(86);
        byte[][] code = new byte[600][];
        for (int i = 0; i < code.length; i++) {
            code[i] = new byte[3 + random.nextInt(10)];
            random.nextBytes(code[i]);
        }
        return code;
    }

    private static byte[][] words() {
        String text =
                "<assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" |manifestVersion=\"1.0\">\r\n  |<assemblyIdentity "
                        + "|name=\"Microsoft-Windows-|version=\"10.0.20348.|processorArchitecture=\"amd64\" |language=\"neutral\" "
                        + "|buildType=\"release\" |publicKeyToken=\"31bf3856ad364e35\" |versionScope=\"nonSxS\" />\r\n  "
                        + "|<dependency |discoverable=\"no\" |resourceType=\"resources\">\r\n    |<file |destinationPath=\"$(runtime."
                        + "|system32)\\|importPath=\"$(build.nttree)\\|hashalg=\"SHA256\" |hash=\"|\" |</file>\r\n  |<registryKey "
                        + "|keyName=\"HKEY_LOCAL_MACHINE\\SOFTWARE\\|Microsoft\\Windows\\CurrentVersion\\|<registryValue "
                        + "|valueType=\"REG_SZ\" |operationHint=\"replace\" |owner=\"true\" |</registryKey>\r\n  |securityDescriptor "
                        + "|Service|Network|Storage|Driver|Update|Management|Provider|Interface|Configuration|Diagnostics|Security";
        String[] parts = text.split("\\|", -1);
        byte[][] words = new byte[parts.length][];
        for (int i = 0; i < parts.length; i++) {
            words[i] = parts[i].getBytes(StandardCharsets.US_ASCII);
        }
        return words;
    }
}
