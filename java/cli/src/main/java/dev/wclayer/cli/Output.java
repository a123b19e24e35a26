package dev.wclayer.cli;

import com.google.gson.FormattingStyle;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Results on stdout, as text or JSON. Names of Windows files may hold lone surrogates: text shows them as WTF-8, as the
 * tar has them, JSON as escapes.
 */
final class Output {
    private final OutputStream out;
    private final boolean json;

    Output(OutputStream out, boolean json) {
        this.out = out;
        this.json = json;
    }

    boolean wantsJson() {
        return json;
    }

    OutputStream stream() {
        return out;
    }

    void line(String text) throws IOException {
        out.write(wtf8(text + "\n"));
    }

    void json(JsonElement element) throws IOException {
        Gson gson = new GsonBuilder()
                .disableHtmlEscaping()
                .serializeNulls()
                .setFormattingStyle(FormattingStyle.COMPACT)
                .create();
        out.write((escapeLoneSurrogates(gson.toJson(element)) + "\n").getBytes(StandardCharsets.UTF_8));
    }

    static byte[] wtf8(String text) {
        if (text.codePoints().noneMatch(Output::isSurrogate)) {
            return text.getBytes(StandardCharsets.UTF_8);
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        text.codePoints().forEach(point -> {
            if (isSurrogate(point)) {
                bytes.write(0xe0 | point >> 12);
                bytes.write(0x80 | (point >> 6 & 0x3f));
                bytes.write(0x80 | (point & 0x3f));
            } else {
                bytes.writeBytes(Character.toString(point).getBytes(StandardCharsets.UTF_8));
            }
        });
        return bytes.toByteArray();
    }

    /** Outside strings JSON has no such characters, so that the whole text can be gone through. */
    static String escapeLoneSurrogates(String text) {
        if (text.codePoints().noneMatch(Output::isSurrogate)) {
            return text;
        }
        StringBuilder escaped = new StringBuilder();
        text.codePoints().forEach(point -> {
            if (isSurrogate(point)) {
                escaped.append(String.format("\\u%04x", point));
            } else {
                escaped.appendCodePoint(point);
            }
        });
        return escaped.toString();
    }

    private static boolean isSurrogate(int point) {
        return point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE;
    }
}
