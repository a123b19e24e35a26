package dev.wclayer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/**
 * Moves the entries of any tar below {@code Files/}, where a layer has them, header by header, and leaves all else as it
 * is: old-GNU, PAX, V7, malformed.
 */
final class Rehomed {
    private static final byte[] HOME = "Files/".getBytes(ISO_8859_1);
    private static final int NAME = 100;
    private static final int PREFIX = 345;
    private static final int BLOCK = RawTars.BLOCK;

    private final byte[] tar;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private int at;

    private Rehomed(byte[] tar) {
        this.tar = tar;
    }

    static byte[] below(byte[] tar) {
        return new Rehomed(tar).all();
    }

    private byte[] all() {
        while (at + BLOCK <= tar.length && !blank()) {
            entry();
        }
        out.write(tar, at, tar.length - at);
        return out.toByteArray();
    }

    private boolean blank() {
        for (int i = at; i < at + BLOCK; i++) {
            if (tar[i] != 0) {
                return false;
            }
        }
        return true;
    }

    private void entry() {
        byte[] header = Arrays.copyOfRange(tar, at, at + BLOCK);
        int headerAt = at;
        char type = (char) header[156];
        at += BLOCK;
        for (boolean more = type == 'S' && header[482] != 0; more; at += BLOCK) {
            more = tar[at + 504] != 0;
        }
        byte[] extra = Arrays.copyOfRange(tar, headerAt + BLOCK, at);
        long size = "123456".indexOf(type) >= 0 ? 0 : Math.max(0, size(header));
        int stored = (int) Math.min((size + BLOCK - 1) / BLOCK * BLOCK, tar.length - at);
        byte[] data = Arrays.copyOfRange(tar, at, at + (int) Math.min(size, stored));
        byte[] padding = Arrays.copyOfRange(tar, at + data.length, at + stored);
        at += stored;
        boolean names = type == 'L' || type == 'x' || (type == 'K' && nextIsHardLink());
        if (names && data.length == size) {
            data = type == 'x' ? records(data, nextIsHardLink()) : concat(HOME, data);
            System.arraycopy(String.format("%011o", data.length).getBytes(ISO_8859_1), 0, header, 124, 11);
            header = RawTars.seal(header);
            boolean cut = stored % BLOCK != 0;
            padding = new byte[cut ? 0 : (BLOCK - data.length % BLOCK) % BLOCK];
        } else if ("Kgx".indexOf(type) < 0) {
            header = moved(header, type == '1');
        }
        out.writeBytes(header);
        out.writeBytes(extra);
        out.writeBytes(data);
        out.writeBytes(padding);
    }

    private boolean nextIsHardLink() {
        int next = at;
        while (next + BLOCK <= tar.length && "LKx".indexOf(tar[next + 156]) >= 0) {
            next += BLOCK
                    + (int) ((Math.max(0, size(Arrays.copyOfRange(tar, next, next + BLOCK))) + BLOCK - 1)
                            / BLOCK
                            * BLOCK);
        }
        return next + BLOCK <= tar.length && tar[next + 156] == '1';
    }

    private static long size(byte[] header) {
        if (header[124] < 0) { // base 256
            long size = 0;
            for (int i = 128; i < 136; i++) {
                size = size << 8 | (header[i] & 0xff);
            }
            return size;
        }
        String digits = new String(header, 124, 12, ISO_8859_1).replaceAll("[^0-7]", "");
        return digits.isEmpty() ? 0 : Long.parseLong(digits, 8);
    }

    private static byte[] moved(byte[] header, boolean hardLink) {
        byte[] moved = header.clone();
        boolean ustar = new String(header, 257, 5, ISO_8859_1).equals("ustar");
        String name = field(header, 0, NAME);
        // Some writers put a prefix beside the magic of old GNU, whose times stand there else.
        String prefix = ustar && Character.isLetter(header[PREFIX]) ? field(header, PREFIX, 155) : "";
        if (!prefix.isEmpty()) {
            put(moved, PREFIX, 155, "Files/" + prefix);
        } else if (name.length() + HOME.length <= NAME) {
            put(moved, 0, NAME, "Files/" + name);
        } else if (ustar) {
            put(moved, PREFIX, 155, "Files");
        }
        if (hardLink) {
            put(moved, 157, NAME, "Files/" + field(header, 157, NAME));
        }
        return sumsRight(header) ? RawTars.seal(moved) : moved;
    }

    /** A header whose sum is wrong stays wrong; some programs took bytes for signed ones. */
    private static boolean sumsRight(byte[] header) {
        int sum = 0;
        int signed = 0;
        for (int i = 0; i < BLOCK; i++) {
            byte value = i >= 148 && i < 156 ? (byte) ' ' : header[i];
            sum += value & 0xff;
            signed += value;
        }
        String digits = new String(header, 148, 8, ISO_8859_1).replaceAll("[^0-7]", "");
        int stored = digits.isEmpty() ? -1 : Integer.parseInt(digits, 8);
        return stored == sum || stored == signed;
    }

    private static byte[] records(byte[] data, boolean hardLink) {
        ByteArrayOutputStream moved = new ByteArrayOutputStream();
        int from = 0;
        while (from < data.length) {
            int space = indexOf(data, ' ', from);
            int length;
            try {
                length = Integer.parseInt(new String(data, from, space - from, ISO_8859_1));
            } catch (NumberFormatException | StringIndexOutOfBoundsException malformed) {
                break;
            }
            int equals = indexOf(data, '=', space);
            int end = from + length;
            if (equals < 0 || end > data.length || data[end - 1] != '\n') {
                break;
            }
            String key = new String(data, space + 1, equals - space - 1, ISO_8859_1);
            boolean path = key.equals("path") || key.equals("GNU.sparse.name") || (key.equals("linkpath") && hardLink);
            byte[] value = Arrays.copyOfRange(data, equals + 1, end - 1);
            if (path && value.length > 0) {
                moved.writeBytes(record(key, concat(HOME, value)));
            } else {
                moved.write(data, from, length);
            }
            from = end;
        }
        moved.write(data, from, data.length - from);
        return moved.toByteArray();
    }

    private static byte[] record(String key, byte[] value) {
        int rest = 1 + key.length() + 1 + value.length + 1;
        int length = rest + 1;
        while (length != rest + Integer.toString(length).length()) {
            length = rest + Integer.toString(length).length();
        }
        return concat(concat((length + " " + key + "=").getBytes(ISO_8859_1), value), new byte[] {'\n'});
    }

    private static int indexOf(byte[] data, char wanted, int from) {
        for (int i = Math.max(from, 0); i < data.length; i++) {
            if (data[i] == wanted) {
                return i;
            }
        }
        return -1;
    }

    private static String field(byte[] header, int from, int width) {
        int end = from;
        while (end < from + width && header[end] != 0) {
            end++;
        }
        return new String(header, from, end - from, ISO_8859_1);
    }

    private static void put(byte[] header, int from, int width, String text) {
        byte[] bytes = text.getBytes(ISO_8859_1);
        Arrays.fill(header, from, from + width, (byte) 0);
        System.arraycopy(bytes, 0, header, from, Math.min(bytes.length, width));
    }

    private static byte[] concat(byte[] first, byte[] second) {
        byte[] all = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, all, first.length, second.length);
        return all;
    }
}
