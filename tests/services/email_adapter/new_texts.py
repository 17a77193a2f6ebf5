"""Mails as programs and people write them, in words of our own: the whole, and what of it was written now.

In `WHOLE` a line of only ⟦ begins what was not written now (a quote or a signature) and a line of only ⟧ ends it.
"""

from __future__ import annotations

TEXTS = {
    "gmail in Khmer": """
សូមផ្ញើកាបូបពណ៌ខៀវមកខ្ញុំ។
⟦

នៅថ្ងៃ ច័ន្ទ ទី 2 ខែកុម្ភៈ ឆ្នាំ 2026 ម៉ោង 10:15 ហាង Angkor <help@shop.example> បានសរសេរ៖

> តើអ្នកចង់បានពណ៌អ្វី?
⟧""",
    "gmail in Thai": """
ขอสีน้ำเงินค่ะ
⟦

เมื่อวันจันทร์ที่ 2 ก.พ. 2026 เวลา 10:15 Angkor <help@shop.example> เขียนว่า:

> ต้องการสีอะไรคะ
⟧""",
    "gmail in Vietnamese": """
Cho mình màu xanh nhé.
⟦

Vào Th 2, 2 thg 2, 2026 vào lúc 10:15 Angkor <help@shop.example> đã viết:

> Bạn muốn màu gì?
⟧""",
    "gmail in Chinese": """
要蓝色的，谢谢。
⟦

Angkor <help@shop.example> 于2026年2月2日周一 10:15写道：

> 您要什么颜色？
⟧""",
    "qq mail": """
好的，明天发货吧
⟦

------------------ 原始邮件 ------------------
发件人: "Angkor"<help@shop.example>;
发送时间: 2026年2月2日(星期一) 上午10:15
收件人: "Li"<li@mail.example>;
主题: 订单

请确认地址。
⟧""",
    "gmail in Japanese": """
青でお願いします。
⟦

2026年2月2日(月) 10:15 Angkor <help@shop.example>:

> 何色がよろしいですか
⟧""",
    "outlook in Japanese": """
承知しました。よろしくお願いいたします。
⟦

差出人: Angkor <help@shop.example>
送信日時: 2026年2月2日 10:15
宛先: Sato <sato@mail.example>
件名: ご注文

何色がよろしいですか
⟧""",
    "gmail in Korean": """
파란색으로 부탁드려요.
⟦

2026년 2월 2일 (월) 오전 10:15, Angkor <help@shop.example>님이 작성:

> 무슨 색을 원하세요?
⟧""",
    "naver in Korean": """
네 알겠습니다
⟦

-----Original Message-----
From: "Angkor" <help@shop.example>
To: "Kim" <kim@mail.example>;
Cc:
Sent: 2026-02-02 (월) 10:15:30
Subject: 주문

무슨 색을 원하세요?
⟧""",
    "gmail in Arabic": """
أريد اللون الأزرق من فضلك.
⟦

\u202bفي الاثنين، 2 فبراير 2026 في 10:15 ص تمت كتابة ما يلي بواسطة \u202aAngkor\u202c\u200f <\u202ahelp@shop.example\u202c\u200f>:\u202c

> ما اللون الذي تريده؟
⟧""",
    "gmail in Hebrew": """
כחול בבקשה
⟦

\u202bבתאריך יום ב׳, 2 בפבר׳ 2026 ב-10:15 מאת \u202aAngkor\u202c\u200f <\u202ahelp@shop.example\u202c\u200f>:\u202c

> איזה צבע?
⟧""",
    "mail.ru": """
Синюю, пожалуйста.
⟦
--
Ольга


>Понедельник, 2 февраля 2026, 10:15 +03:00 от Angkor <help@shop.example>:
>
>Какого цвета?
⟧""",
    "outlook in Russian": """
Добрый день, оплатил вчера.
⟦

С уважением не указано
⟧""".replace(
        "⟦\n\nС уважением не указано\n⟧",
        "⟦\n\nОт: Angkor <help@shop.example>\nОтправлено: 2 февраля 2026 г. 10:15\nКому: Olga <olga@mail.example>\nТема: Заказ\n\nКогда оплатите?\n⟧",
    ),
    "gmail in Ukrainian": """
Дякую, все прийшло
⟦

пн, 2 лют. 2026 р. о 10:15 Angkor <help@shop.example> пише:

> Чи прийшла посилка?
⟧""",
    "apple mail in German": """
Die Tasche ist angekommen, aber der Henkel fehlt.
⟦

> Am 02.02.2026 um 10:15 schrieb Angkor <help@shop.example>:
>
> Ist alles angekommen?
⟧""",
    "thunderbird in German, answered below": """⟦
Am 02.02.26 um 10:15 schrieb Angkor:
> Ist alles angekommen?
> Viele Grüße
⟧

Ja, vielen Dank!
⟦
--
Jana Weiß
⟧""",
    "thunderbird in French, answered between": """
Le 02/02/2026 à 10:15, Angkor a écrit :
> De quelle couleur ?

Bleu.

> Et la taille ?

La plus grande.
⟦

--
Luc
⟧""",
    "gmx in German": """
Bitte stornieren.
⟦

Gesendet: Montag, 02. Februar 2026 um 10:15 Uhr
Von: "Angkor" <help@shop.example>
An: jana@mail.example
Betreff: Ihre Bestellung

Wann sollen wir liefern?
⟧""",
    "outlook in Turkish": """
Mavi olsun lütfen
⟦

Kimden: Angkor <help@shop.example>
Gönderildi: 2 Şubat 2026 Pazartesi 10:15
Kime: Deniz <deniz@mail.example>
Konu: Sipariş

Hangi renk?
⟧""",
    "gmail in Turkish": """
Tamamdır
⟦

Angkor <help@shop.example>, 2 Şub 2026 Pzt, 10:15 tarihinde şunu yazdı:

> Hangi renk?
⟧""",
    "outlook in Greek": """
Ναι, την Τρίτη.
⟦

Από: Angkor <help@shop.example>
Στάλθηκε: Δευτέρα, 2 Φεβρουαρίου 2026 10:15
Προς: Nikos <nikos@mail.example>
Θέμα: Παραγγελία

Πότε σας βολεύει;
⟧""",
    "gmail in Indonesian": """
Warna biru saja, terima kasih
⟦

Pada Sen, 2 Feb 2026 pukul 10.15 Angkor <help@shop.example> menulis:

> Mau warna apa?
⟧""",
    "yahoo in Spanish": """
Todavía no llegó nada.
⟦

Enviado desde Yahoo Mail para Android

El lun., 2 de feb. de 2026 a la(s) 10:15, Angkor
<help@shop.example> escribió:

¿Llegó su pedido?
⟧""",
    "outlook on a telephone in Portuguese": """
Pode entregar amanhã de manhã.
⟦

Obter o Outlook para Android
________________________________
De: Angkor <help@shop.example>
Enviado: segunda-feira, 2 de fevereiro de 2026 10:15
Para: Rui <rui@mail.example>
Assunto: Entrega

Quando podemos entregar?
⟧""",
    "iphone in Polish": """
Dzień dobry, paczka jest uszkodzona.
⟦

Wysłane z iPhone'a

> Wiadomość napisana przez Angkor <help@shop.example> w dniu 2 lut 2026, o godz. 10:15:
>
> Czy wszystko w porządku?
⟧""",
    "iphone in Czech": """
Ano, platí.
⟦

Odesláno z iPhonu

2. 2. 2026 v 10:15, Angkor <help@shop.example>:

> Platí to zítra?
⟧""",
    "samsung in Swedish": """
Jag vill byta storlek
⟦

Skickat från min Galaxy

-------- Originalmeddelande --------
Från: Angkor <help@shop.example>
Datum: 2026-02-02 10:15 (GMT+01:00)
Till: Eva <eva@mail.example>
Ämne: Order

Passar den?
⟧""",
    "proton": """
I would like my money back.
⟦

Sent with Proton Mail secure email.

On Monday, February 2nd, 2026 at 10:15 AM, Angkor <help@shop.example> wrote:

> What can we do for you?
⟧""",
    "notes": """
Please call me after four.
⟦

-----"Angkor" <help@shop.example> wrote: -----
To: Sam <sam@mail.example>
From: "Angkor" <help@shop.example>
Date: 02/02/2026 10:15AM
Subject: Your order

When may we call?
⟧""",
    "a helpdesk's line": """
It works now, you can close this.
⟦

On Mon, 2 Feb 2026 at 10:15, Angkor <help@shop.example> wrote:
> ##- Please type your reply above this line -##
> Does it work?
⟧""",
    "a forward with a note": """
Can you see what they charge me here?
⟦

---------- Forwarded message ---------
From: Bank <bank@mail.example>
Date: Mon, Feb 2, 2026 at 10:15 AM
Subject: Statement
To: <sam@mail.example>

You paid 40 USD to Angkor.
⟧""",
    "a forward and nothing else": """
---------- Forwarded message ---------
From: Bank <bank@mail.example>
Date: Mon, Feb 2, 2026 at 10:15 AM
Subject: Statement
To: <sam@mail.example>

You paid 40 USD to Angkor.
""",
    "a letter with dashes": """
Three things:

---

1. the strap is torn, and I have sent you a picture of it before the weekend already
2. the colour is not the one that I ordered, which was blue and not green as you see

---

What do you propose?
""",
    "a journey, which is no head": """
Please book for me:

From: Phnom Penh
To: Siem Reap
Date: 4 March 2026

Two seats.
""",
    "somebody's words told": """
On Monday I asked your shop and they wrote:
we have it in blue. Now it is green. Why?
""",
    "a telephone in a sentence": """
The photo was bad because it was
sent from my phone in the dark, sorry.

Here is another one.
""",
    "a form": """
Name: Sam
Email: sam@mail.example
Subject: Delivery
Message: where is my parcel?
""",
    "a contact block": """
Please send it to the office instead.

Kind regards
Sam Lee
⟦
--
Sam Lee | Buyer
+855 12 345 678
https://firm.example
⟧""",
    "a list's footer": """
Does anybody know how to mend the clasp?
⟦
_______________________________________________
bags mailing list
bags@lists.example
https://lists.example/listinfo/bags
⟧""",
    "a greeting above answers between": """
Hi, see below.

On 2 Feb 2026, at 10:15, Angkor <help@shop.example> wrote:

> Which colour do you want?
Blue
> And the size?
Large
""",
    "a signature and nothing else": """
--
Sam
""",
    "a table between lines": """
These came:

===================
Bag      1     20
Belt     2     10
===================

Thanks
""",
    "one more thing below a line": """
It came today.

-----
Also bring the belt
""",
    "a telephone that puts all in one line": """
Blue.
⟦

Sent from Yahoo Mail on Android

  On Mon, 2 Feb 2026 at 10:15 am, Angkor<help@shop.example> wrote:   Which colour? We have blue and green.
⟧""",
    "german, without marks": """
Geht in Ordnung
⟦

Am 02.02.26 um 10:15 schrieb Angkor Taschen:

Welche Farbe?
⟧""",
    "a head with empty lines": """
Ok for me.
⟦

From: Angkor <help@shop.example>

Sent: Monday, 2 February 2026 10:15

To: Sam

Subject: Bag

Which?
⟧""",
    "who is quoted, and no more": """
Ok for me.
⟦

Quoting Angkor <help@shop.example>:

> Which?
⟧""",
    "a sentence that tells when": """
My friend told me on 2 Feb 2026 at 10:15 that you wrote:
no refunds.
Is that so?
""",
    "somebody's prompt": """
I get this:

> npm install
> error 404

What now?
""",
    "a table of numbers": """
2026-02-02 10:15 two bags
2026-02-03 11:20 one belt
Total: 3
""",
}


def parted(marked: str) -> tuple[str, str]:
    """The whole mail, and what of it was written now."""
    whole, now, inside = [], [], False
    for line in marked.strip("\n").split("\n"):
        if line in {"⟦", "⟧"}:
            inside = line == "⟦"
            continue
        whole.append(line)
        now += [] if inside else [line]
    return "\n".join(whole), "\n".join(now).strip("\n")
