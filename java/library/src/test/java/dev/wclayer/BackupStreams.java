package dev.wclayer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** Win32 backup streams as docker's and hcsshim's transport folders hold them, written and read without our own code. */
final class BackupStreams {
    static final int DATA = 1;
    static final int EA_DATA = 2;
    static final int SECURITY = 3;
    static final int ALTERNATE = 4;
    static final int REPARSE = 8;
    private static final int HEADER = 20;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** One stream of a file. */
    record Part(int id, String name, String hex) {
        int size() {
            return hex.length() / 2;
        }
    }

    /** With the word of attributes that TP5 and later put first. */
    static BackupStreams withAttributes(int attributes) {
        BackupStreams streams = new BackupStreams();
        streams.out.writeBytes(little(4).putInt(attributes).array());
        return streams;
    }

    BackupStreams add(int id, byte[] data) {
        return add(id, "", data);
    }

    BackupStreams add(int id, String name, byte[] data) {
        byte[] wide = name.getBytes(StandardCharsets.UTF_16LE);
        int attributes = id == SECURITY ? 2 : 0;
        out.writeBytes(little(HEADER)
                .putInt(id)
                .putInt(attributes)
                .putLong(data.length)
                .putInt(wide.length)
                .array());
        out.writeBytes(wide);
        out.writeBytes(data);
        return this;
    }

    byte[] bytes() {
        return out.toByteArray();
    }

    static int attributesOf(byte[] stored) {
        return ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN).getInt();
    }

    /** The streams behind the word of attributes. */
    static List<Part> parts(byte[] stored) {
        List<Part> parts = new ArrayList<>();
        ByteBuffer in = ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN).position(4);
        while (in.hasRemaining()) {
            int id = in.getInt();
            in.getInt();
            byte[] data = new byte[(int) in.getLong()];
            byte[] name = new byte[in.getInt()];
            in.get(name).get(data);
            parts.add(new Part(
                    id,
                    new String(name, StandardCharsets.UTF_16LE),
                    HexFormat.of().formatHex(data)));
        }
        return parts;
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
