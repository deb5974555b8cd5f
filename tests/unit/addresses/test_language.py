"""What people write: each line is an address and the commune of today, or nothing."""

import json
import re
import unicodedata
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gis.boundaries.package_units import package_history
from gis.boundaries.units import UnitChange, UnitHistory
from gis.placing.addresses import AddressResolver

READ = """
591 đường Hoàng Liên, phường Kim Tân, TP Lào Cai|02647
gần chợ Cốc Lếu, phường Lào Cai|02647
đối diện UBND phường Kim Tân, TP Lào Cai|02647
số 5 tổ 12 Kim Tân, Lào Cai|02647
Tổ 5, phường Kim Tân, TP Lào Cai, ĐT: 0214.3872.115|02647
Số nhà 033 phố Kim Đồng - P.Cốc Lếu - TP Lào Cai|02647
P Kim Tân TP Lào Cai|02647
F. Kim Tân, TP LC|02647
PhườngCốcLếu,TPLàoCai|02647
phuongcocleu,tplaocai|02647
Phố Mới, Lào Cai|02647
xaphuckhanhhuyenbaoyentinhlaocai|02998
xa ta van sa pa lao cai|03037
XA TA VAN SAPA LAOCAI|03037
x. Tả Van, h. Sa Pa, t. Lào Cai|03037
Tả-Van - Sa-Pa|03037
Lào Cai, Sa Pa, Tả Van|03037
tỉnh Lào Cai, huyện Bảo Yên, xã Phúc Khánh|02998
22.3364, 103.8438 xã Tả Van, Sa Pa|03037
h.sapa x.taphin|03013
hợp tác xã Tả Phìn, xã Tả Phìn, Sa Pa|03013
Sa Pa ward, Lao Cai province|03006
Cam Duong ward, Lao Cai Province, Vietnam|02671
Ta Van Commune, Sa Pa District, Lao Cai|03037
Bac Ha town, Lao Cai|02839
Tổ 3, P.Cầu Mây, Tx.Sa Pa|03006
khu đô thị mới Lào Cai - Cam Đường, phường Bắc Cường|02671
số nhà 12, ngõ 5, đường Điện Biên, phường Pú Trạng, thị xã Nghĩa Lộ|04288
Nhà máy thủy điện Nậm Toóng, Bản Hồ, Sa Pa|03046
thôn Kim Tân, xã Tả Van, Sa Pa|03037
thôn Phúc Khánh, xã Bảo Yên, tỉnh Lào Cai|02947
UBND xã Tả Van, Sa Pa|03037
xã Quang Kim cũ, nay là xã Bát Xát|02683
xã Bát Xát (xã Quang Kim cũ), tỉnh Lào Cai|02683
phường Lào Cai (phường Kim Tân cũ)|02647
thôn 3 (xã Minh Tân cũ), xã Thượng Hà, tỉnh Lào Cai|02968
xã Điện Quan cũ, xã Thượng Hà|02968
Phường Bắc Cường cũ (nay thuộc phường Cam Đường), Lào Cai|02671
phường Nam Cường cũ, TP Lào Cai|02671
phường Nam Cường mới, tỉnh Lào Cai|04273
Phường Nam Cường (mới), Lào Cai|04273
phường Nam Cường, TP Yên Bái|04273
xã Long Phúc, Bảo Yên|02998
xã San Sả Hồ, Sa Pa|03037
xã Sa Pả, huyện Sa Pa|03006
thị trấn Sa Pa, huyện Sa Pa, Lào Cai|03006
xã Sơn A, huyện Văn Chấn, Yên Bái|04660
TTNT Nghĩa Lộ, Văn Chấn|04663
TT Phong Hải, Bảo Thắng|02902
xã Cốc San, huyện Bát Xát|02746
xã Tân An, huyện Văn Bàn|02989
xã Minh Tân|02968
phường Minh Tân|04252
xã Văn Bàn, huyện Văn Bàn, Lào Cai|03082
TT Trạm Tấu|04585
xã Trạm Tấu, huyện Trạm Tấu|04606
thị trấn Khánh Yên|03082
xã Khánh Yên, tỉnh Lào Cai|03103
xã Nậm Có, MCC, YB|04462
la pan tan, yen bai|04492
xã Tà Xi Láng|04603
Dương Quì, Văn Bàn|03106
Phường Ô Quy Hồ, Sapa|03006
xã Tả Vna, Sa Pa|03037
xã Phúc Khánh, huyện Bảo Ynê|02998
Điẹn Quan, Bảo Yên|02968
phường Cốc Lếu, thàn phố Lào Cai|02647
xã Xín Chéng, Xi Ma Cai|02824
nha ong nguyen van minh xuan giao bao thang lao cai|02923
Sa Pả, Sa Pa|03006
Nam Cuong, TP Lao Cai|02671
phường Nam Cường, Yên Bái|04273
xã Nghĩa Lộ, TX Nghĩa Lộ|04663
phường Nghĩa Lộ, tỉnh Lào Cai|04288
TTNT Liên Sơn, Văn Chấn|04660
xã Trung Tâm, Yên Bái|04363
phuong trung tam, lao cai|04663
xã Nậm Chày, tỉnh Lào Cai|03076
Nậm Chảy, Lào Cai|02761
Nậm Chảy, Mường Khương|02761
xã Tân An|02989
xã Trung Tâm|04363
Phường Lào Cai|02647
Cam Đường, Lào Cai|02671
Âu Lâu|04543
xã Mường Lai, huyện Lục Yên|04345
thôn 5 xã Y Can Trấn Yên YB|04531
Xã Y Tý huyện Bát Xát|02701
y ty bat xat lao cai|02701
A Mú Sung, Bát Xát|02686
Bản Lầu, Mường Khương|02788
TT Si Ma Cai|02809
xã Tả Phìn (Sa Pa)|03013
(xã Tả Phìn), (thị xã Sa Pa)|03013
xã Tả Phìn / thị xã Sa Pa / Lào Cai|03013
xã Tả Phìn; Sa Pa; Lào Cai|03013
xã Tả Phìn_Sa Pa_Lào Cai|03013
xã Tả Phìn. Thị xã Sa Pa. Tỉnh Lào Cai.|03013
Xã Tả Phìn huyện Sa Pa (nay là thị xã Sa Pa)|03013
ĐC: xã Tả Phìn, TX Sa Pa; SĐT 0912345678|03013
Nhà ông Tráng A Lử, thôn Hòa Sử Pán, xã Mường Hoa, Sa Pa|03037
Thôn Lao Chải San, xã Hoàng Liên, Sa Pa|03037
chợ Mường Hum, xã Mường Hum|02728
Nghĩa trang Kim Tân, P. Kim Tân, Lào Cai|02647
Cầu Kim Tân, phường Cốc Lếu|02647
đập thủy điện Bắc Hà, xã Cốc Ly|02890
xã Cốc Ly, Bảo Nhai|02890
xã Bảo Nhai, tỉnh Lào Cai|02890
Nhà máy DAP, TT Tằng Loỏng|02908
tổ 9, Tằng Loỏng, Bảo Thắng|02908
QL 279, xã Văn Sơn, Văn Bàn|03061
xã Võ Lao, huyện Văn Bàn|03061
Xã Võ Lao|03061
xã Bảo Nhai cũ, nay là xã Bảo Nhai|02890
tổ 10 phường Pom Hán cũ (nay là phường Cam Đường) tỉnh Lào Cai|02671
thị trấn Yên Bình, Yên Bái|04714
xã Phú Thịnh, Yên Bình|04279
phường Văn Phú, TP Yên Bái|04279
xã Văn Tiến, TP Yên Bái|04279
xã Văn Lãng, huyện Yên Bình|04279
xã Bảo Hưng, Trấn Yên|04543
xã Việt Cường, huyện Trấn Yên|04564
xã Đào Thịnh, Trấn Yên|04498
Đường Hà Nội, phường Cốc Lếu, TP Lào Cai|02647
số 3 phố Hà Nội, P. Kim Tân|02647
Công ty TNHH Hà Nội, phường Kim Tân, TP Lào Cai|02647
cụm Gia Phú - Xuân Giao - Thống Nhất, Bảo Thắng|02923
gần chợ Cốc Lếu - phường Kim Tân - TP Lào Cai|02647
giữa chợ Cốc Lếu và cầu Kim Tân, phường Cốc Lếu, TP Lào Cai|02647
giữa thôn Tả Van và thôn Bản Hồ, xã Mường Hoa, Sa Pa|03037
đường Cốc Lếu - Kim Tân - Lào Cai|02647
QL 4D đoạn qua xã Trung Chải, Sa Pa|03013
km 5 đường Sa Pa đi Lào Cai, xã Trung Chải, Sa Pa|03013
xã Y Tý giáp xã Mường Hum, Bát Xát|02701
Kim Sơn, Khánh Yên Hạ, Văn Bàn|03103
trung tâm xã Y Tý, Bát Xát|02701
xã Tả Van, phía nam thị xã Sa Pa|03037
phường Fansipan, thị xã Sa Pa|03006
Phan Xi Păng ward, Sa Pa|03006
xã Quang Kim, huyện Bát Xát, tỉnh Hoàng Liên Sơn|02683
xã Minh Quân, Trấn Yên, Hoàng Liên Sơn|04543
xã Minh Tiến, Lục Yên, Yên Bái|04345
xã Minh Tiến, Trấn Yên, Yên Bái|04531
đường Hoàng Liên Sơn, phường Kim Tân, Lào Cai|02647
"""

# Ways, neighbours and sides of units, and the places among them that are told all the same.
READ_BESIDE = """
đối diện trụ sở UBND xã Gia Phú, Bảo Thắng|02923
gần trụ sở xã Gia Phú, huyện Bảo Thắng|02923
gần trường tiểu học xã Gia Phú, huyện Bảo Thắng|02923
đường liên xã Tả Phìn - Trung Chải, thị xã Sa Pa|03013
đường liên xã Nậm Tha - Chiềng Ken, Văn Bàn|03091
đường liên xã Nậm Mả - Võ Lao|03061
cao tốc Nội Bài - Lào Cai, xã Cam Cọn, Bảo Yên|02989
cao tốc Nội Bài - Lào Cai đoạn qua xã Bản Phiệt|02647
quốc lộ 279 đoạn qua xã Minh Lương, Văn Bàn|03121
km 128 QL70 xã Long Khánh, Bảo Yên|02998
xã Long Khánh, Bảo Yên, đoạn giáp Lục Yên|02998
bên kia sông, xã Nà Hẩu, Văn Yên|04429
ven hồ Thác Bà, xã Vũ Linh, Yên Bình|04717
suối Nậm Tha, xã Nậm Tha, Văn Bàn|03091
next to Ban Ho village, Ban Ho commune, Sa Pa|03046
10 km from Sa Pa, Ta Van commune|03037
border of Y Ty and A Lu communes, Bat Xat|02701
Y Tý, A Lù, Bát Xát|02701
cụm xã Y Tý - Ngải Thầu - A Lù|02701
cụm Khao Mang - Hồ Bốn, Mù Cang Chải|04465
cụm Văn Sơn - Võ Lao, Văn Bàn|03061
Bản Cầm, Bảo Thắng|02902
Bản Phiệt - Bảo Thắng - Lào Cai|02647
phố Hoàng Liên - phường Cốc Lếu - TP Lào Cai|02647
đường Nguyễn Huệ - Phố Mới - Lào Cai|02647
đường Điện Biên, Pú Trạng, Nghĩa Lộ|04288
Tổ 3 - Phố Ràng - Bảo Yên|02947
Thôn Nậm Cang - Nậm Cang - Sa Pa|03043
Thôn Nậm Sài, xã Liên Minh, Sa Pa|03043
đỉnh Nhìu Cồ San, xã Sàng Ma Sáo|02707
phường Hàm Rồng, Sa Pa|03006
bản Hồ, xã Bản Hồ|03046
nhà thờ Sa Pa, phường Sa Pa|03006
chợ đêm Cốc Lếu, phường Cốc Lếu|02647
chợ phiên Cán Cấu, xã Cán Cấu|02809
xã Tú Lệ, huyện Văn Chấn, Hoàng Liên Sơn|04630
phường Hồng Hà, thị xã Yên Bái, tỉnh Hoàng Liên Sơn|04252
phường Phan Xi Păng, Sa Pa|03006
P. Fanxipan, TX Sa Pa, Lào Cai|03006
Fansipan Ward, Sa Pa Town|03006
xã Nậm Lúk, Bắc Hà|02896
xã Nậm Luc, Bắc Hà|02896
xã Quang Kin, Bát Xát|02683
xã Quan Kim, Bát Xát|02683
xã Bản Quà, Bát Xát|02683
xã Tân Thịnh, huyện Văn Chấn|04699
xã Tân Thịnh, TP Yên Bái|04279
xã Khánh Yên Thượng, Văn Bàn|03082
thị trấn Khánh Yên, Văn Bàn|03082
xã Khánh Yên, Văn Bàn|03103
xã Khánh Yên Trung|03103
xã Trạm Tấu, tỉnh Lào Cai|04606
xã Lao Chải, Sa Pa|03037
xã Lao Chải, Mù Cang Chải|04474
Lao Chải, Yên Bái|04474
xã Sơn Thịnh, Văn Chấn|04672
xã Bảo Yên|02947
xã Bảo Thắng, Lào Cai|02905
xã Bắc Hà, tỉnh Lào Cai|02839
xã Hợp Thành|02680
xã Thống Nhất, TP Lào Cai|02923
Cam Đường, TP Lào Cai|02671
thôn Sín Chải, xã Sa Pả cũ, nay là phường Sa Pa|03006
xã Cốc Mỳ (nay là xã Trịnh Tường)|02695
xã Cốc Mỳ sáp nhập vào xã Trịnh Tường|02695
phường Nam Cường (TP Lào Cai cũ)|02671
trung tâm phường Kim Tân|02647
trung tam xa y ty, bat xat|02701
Nhà ông Giàng A Cạnh, xã Bản Hồ, Sa Pa|03046
Nhà bà Vàng Thị Giữa, xã Bản Hồ, Sa Pa|03046
ông Lý Văn Nối, xã Bản Hồ|03046
nha ong Tu, xa Ban Ho, Sa Pa|03046
anh Qua ở xã Bản Hồ Sa Pa|03046
đội 5 nông trường Trần Phú, Văn Chấn|04705
thôn Km 5, xã Y Tý, Bát Xát|02701
xã Tòng Sành, Bát Xát, cách TP Lào Cai 15 km|02746
Tòng Sành, Bát Xát - giáp Sa Pa|02746
xã Tòng Sành (giáp ranh Sa Pa), huyện Bát Xát|02746
điểm sạt lở giữa thôn Phìn Ngan và thôn Sải Duần, xã Phìn Ngan, Bát Xát|02683
lũ quét tại xã Phìn Ngan, từ thôn Láo Vàng đến thôn Van Hồ, Bát Xát|02683
tuyến đường qua địa bàn xã Phìn Ngan, Bát Xát|02683
đoạn đường thuộc xã Phìn Ngan, Bát Xát|02683
xã Xuân Hòa giáp xã Tân Dương, huyện Bảo Yên|02962
trung tâm thị trấn Bắc Hà, huyện Bắc Hà|02839
thôn Trung Tâm, xã Bản Hồ, Sa Pa|03046
khu Trung Tâm, xã Bản Hồ, Sa Pa|03046
Phường Trung Tâm, thị xã Nghĩa Lộ, tỉnh Yên Bái|04663
Trung Tâm, Nghĩa Lộ|04663
phường trung tâm|04663
Bảo Hà - Tân An, Văn Bàn|02989
sông Hồng, đoạn chảy qua xã Bảo Hà, Bảo Yên|02989
xã Tả Phời, xã Hợp Thành, TP Lào Cai|02680
Cốc Lếu, Kim Tân, Duyên Hải|02647
phường Cốc Lếu và phường Kim Tân, TP Lào Cai|02647
trước cổng UBND xã Kim Sơn, Bảo Yên|02989
sau chợ xã Kim Sơn, Bảo Yên|02989
đầu xã Kim Sơn, Bảo Yên|02989
cuối xã Kim Sơn, Bảo Yên|02989
QL279, Nghĩa Đô, Bảo Yên|02953
QL 279 xã Nghĩa Đô, Bảo Yên|02953
Km 12 QL 4E Xuân Giao, Bảo Thắng|02923
ĐT 162, Nậm Lúc, Bắc Hà|02896
đường tỉnh 162 Nậm Lúc - Cốc Lầu, Bắc Hà|02896
đường Hồ Chí Minh, phường Kim Tân|02647
xã Suối Quyền, Văn Chấn|04651
xã Nậm Có giáp Văn Bàn, Mù Cang Chải|04462
xã Nậm Xây cách huyện Mù Cang Chải 20 km|03121
Y Ty (near A Lu), Bat Xat, Lao Cai|02701
opposite the People's Committee of Ta Phin commune, Sa Pa|03013
in Ta Phin commune, Sa Pa town|03013
Dốc Ba Tầng, Tả Phìn, Sa Pa|03013
xã Tú Lệ huyện Văn Chấn đi Mù Cang Chải|04630
Thác Bà, Yên Bình|04717
xã Thác Bà, tỉnh Lào Cai|04717
thủy điện Thác Bà, thị trấn Thác Bà|04717
Đội 3 xã Minh Bảo TP Yên Bái|04273
Đại Sơn, xã Mỏ Vàng, Văn Yên|04450
xã Nậm Chày giáp xã Nậm Xé, Văn Bàn|03076
thôn Nậm Chày, xã Nậm Xé, Văn Bàn|03085
Nậm Chày, xã Nậm Xé, Văn Bàn|03085
từ Nậm Chày, xã Nậm Xé, Văn Bàn|03085
ở Nậm Chày, Văn Bàn|03076
thuộc Nậm Chày, Văn Bàn|03076
xã Nậm Chày (Văn Bàn), cách trung tâm huyện 40 km|03076
cách cầu Kim Tân 100 m, phường Kim Tân, TP Lào Cai|02647
số 100 m phường Kim Tân|02647
diện tích 300 m2 tại phường Kim Tân, TP Lào Cai|02647
phường Kim Tân 300 m2|02647
sang nhượng quán ở phường Kim Tân, TP Lào Cai|02647
về thôn Lý, xã Y Tý|02701
gần Sa Pa, xã Trung Chải|03013
gần thị xã Sa Pa, xã Trung Chải, Lào Cai|03013
đường tỉnh 155, xã Y Tý, Bát Xát|02701
Quang Minh, Văn Yên, Yên Bái|04399
đường Trần Phú, thị trấn Nông trường Trần Phú|04705
đường Trần Phú, Bắc Cường, Lào Cai|02671
phố Tân An, phường Tân An, Nghĩa Lộ|04288
đường Ngô Quyền, Kim Tân, Lào Cai|02647
đường Nhạc Sơn, P Kim Tân|02647
Đại lộ Trần Hưng Đạo - phường Nam Cường - TP Lào Cai|02671
đồn biên phòng Y Tý, Bát Xát|02701
trạm đo mưa xã Nà Hẩu|04429
trạm đo mưa Nà Hẩu, Văn Yên|04429
sông Chảy đoạn Bảo Nhai - Cốc Ly, Bắc Hà|02890
sông Thao, xã Quy Mông, Trấn Yên|04531
bờ sông Thao thuộc xã Y Can, Trấn Yên|04531
sạt lở taluy dương Km98 QL4D, xã Trung Chải|03013
sạt taluy QL 4D Km 98+200 (địa phận xã Tòng Sành, Bát Xát)|02746
sạt lở QL279 đoạn Km36 - Km40, xã Minh Lương|03121
đường Pha Long - Tả Gia Khâu, Mường Khương|02752
cột mốc 84 xã Y Tý|02701
giáp biên giới Trung Quốc, xã Pha Long, Mường Khương|02752
xã Pha Long giáp Trung Quốc|02752
xã biên giới Pha Long, Mường Khương|02752
xã vùng cao Y Tý, huyện Bát Xát|02701
xã Y Tý vùng cao|02701
thị trấn Mường Khương cũ|02761
TP. Lào Cai (cũ), phường Cốc Lếu|02647
phường Lào Cai mới (sáp nhập từ Cốc Lếu, Kim Tân)|02647
phường Cốc Lếu sáp nhập vào phường Lào Cai|02647
xã mới Trịnh Tường (Cốc Mỳ, Trịnh Tường)|02695
xã Bản Xèo gồm Mường Vi, Pa Cheo, Bản Xèo|02725
xã Mường Vi - Bản Xèo - Pa Cheo, Bát Xát|02725
trú tại Mường Vi, Bát Xát|02725
gặp nạn khi đi qua ngầm tràn thôn Làn 1, xã Mường Vi, Bát Xát|02725
mất tích ở suối thuộc thôn Lao Vàng xã Phìn Ngan|02683
Sín Chéng, Bản Mế, Si Ma Cai|02824
thôn Cán Cấu xã Sín Chéng Si Ma Cai|02824
Simacai town, Lao Cai|02809
Muong Khuong town|02761
Sapa ward|03006
Nghia Lo ward, Lao Cai|04288
Ham Rong Ward, Sa Pa Town|03006
Y Ty - A Lu, Bat Xat|02701
xã Lùng Phình giáp ranh xã Lùng Thẩn|02848
Tả Củ Tỷ - Lùng Cải, Bắc Hà|02842
xã Bản Liền và xã Nậm Khánh, huyện Bắc Hà|02869
thôn Nậm Khánh, Bản Liền, Bắc Hà|02869
tuyến đường Bắc Hà - Bản Liền, xã Bản Liền|02869
đường Bắc Hà đi Bản Liền, thôn 3, xã Tà Chải, Bắc Hà|02839
ngã ba xã Xuân Quang, Bảo Thắng|02926
từ xã Bản Xèo về thôn Dao, xã Mường Vi|02725
từ ngày 9 tháng 9 tại xã Phúc Khánh đến nay|02998
"""

NOT_READ = """
đường Hoàng Liên, TP Lào Cai
591 Hoàng Liên, Lào Cai
ngã ba Kim Tân, TP Lào Cai
chợ Cốc Lếu, TP Lào Cai
thôn Tả Van, Sa Pa
gần xã Tả Van, Sa Pa
từ xã Tả Van đến xã Bản Hồ
xã Tả Van và xã Bản Hồ, Sa Pa
đường từ Sa Pa đi Lào Cai
hồ Thác Bà, Yên Bình, Yên Bái
khu du lịch Hàm Rồng, Sa Pa
cửa khẩu quốc tế Lào Cai
UBND tỉnh Lào Cai
SAPA, LAO CAI
Lao Cai City, Lao Cai
huyện Bảo Yên, tỉnh Lào Cai
Bảo Thắng, Lào Cai
Yên Bái, Lào Cai
tỉnh Yên Bái
Phường 1, TP Lào Cai
la pan tan, lao cai
xã Minh Quan, huyện Trấn Yên
xã Tân Thịnh, Yên Bái
xã Phúc Khánh nay là xã Bảo Yên
xã Võ Lao, xã Văn Bàn
Xã Hòa Bình, tỉnh Lào Cai
phường Hoàng Liên
xã Tân Hòa, huyện Văn Yên
Khanh Yen, Van Ban
Khánh Yên, Văn Bàn
xã Minh Tiến, Yên Bái
Fansipan, Sa Pa
đỉnh Fansipan, Sa Pa
"""

# Named beside, between or on the way to where the place is, or side by side with another.
NEIGHBOURS = """
giữa xã Cốc Mỳ và xã Dền Thàng, Bát Xát
giữa xã Cốc Mỳ, xã Dền Thàng, huyện Bát Xát
giữa xã Cốc Mỳ, Bát Xát và xã Bản Hồ, Sa Pa
giua xa coc mi va xa den thang, bat xat
nơi giáp ranh giữa hai xã Tả Van và Bản Hồ, Sa Pa
giáp ranh xã Tả Van và xã Bản Hồ, Sa Pa
giáp ranh xã Tả Van & xã Bản Hồ, Sa Pa
giữa phường Kim Tân và phường Bắc Cường, TP Lào Cai
cạnh xã Bản Hồ, Sa Pa
bên kia ranh giới xã Bản Hồ, Sa Pa
phía sau xã Quang Kim, Bát Xát
phía bắc của xã Y Tý, Bát Xát
cách trung tâm xã Y Tý 5 km, Bát Xát
cách UBND xã Y Tý 10 km
xã Y Tý 5 km về phía bắc
hướng đi xã Mường Hum, Bát Xát
đường nối xã Y Tý với xã Mường Hum
đường liên xã Y Tý - Mường Hum, Bát Xát
đường Mường Hum - Dền Thàng - Y Tý, huyện Bát Xát
đường Mường Hum-Dền Thàng-Y Tý, huyện Bát Xát
tuyến đường Y Tý - Mường Hum, Bát Xát
tuyến Khánh Yên - Nậm Tha, Văn Bàn
TL 155 xã Y Tý đi xã Mường Hum
tuyến Bát Xát đi Y Tý, Lào Cai
thung lũng Mường Hoa, Sa Pa
Nậm Xé, Nậm Chày, Văn Bàn, Lào Cai
Nậm Xé, Nậm Chày, huyện Văn Bàn
Tả Van, Y Tý, Lào Cai
Mường Hum và xã Y Tý, Bát Xát
between Ta Van and Ban Ho communes, Sa Pa
next to Ban Ho commune, Sa Pa
5 km north of Ta Van commune, Sa Pa
nằm giữa xã Nậm Chạc và xã A Mú Sung, Bát Xát
khu vực giữa Mường Khương và Bản Lầu
ranh giới huyện Bắc Hà và huyện Si Ma Cai
vùng giáp ranh xã Tả Phời với xã Hợp Thành
sát xã Tả Giàng Phìn, Sa Pa
tiếp giáp xã Phong Niên, Bảo Thắng
kề xã Bản Phiệt, Bảo Thắng
liền kề phường Xuân Tăng, TP Lào Cai
đối diện xã Gia Phú, Bảo Thắng
cách xã Gia Phú 3km, Bảo Thắng
cách thị trấn Phố Lu 5 cây số
cách phường Sa Pa khoảng 10 km
từ thị trấn Bắc Hà đi xã Lùng Phình
từ xã Minh Lương đến Nậm Xây, Văn Bàn
đoạn từ xã Bản Vược đi xã Mường Vi, huyện Bát Xát
QL 70 từ Bản Phiệt tới Bản Cầm, Bảo Thắng
QL 70 đoạn Bản Phiệt - Bản Cầm, Bảo Thắng
tỉnh lộ 156 Kim Thành - Ngòi Phát
tỉnh lộ 158 Mường Hum - Dền Sáng - Y Tý
TL158 Mường Hum – Y Tý, Bát Xát
đường Bản Xèo – Dền Thàng
đường nối Kim Tân với Bắc Cường
đường nối cao tốc Nội Bài - Lào Cai với Sa Pa
Quốc lộ 37 qua xã Thượng Bằng La, Văn Chấn
phía nam xã Hồng Ca, Trấn Yên
phía đông bắc phường Pom Hán
thôn 3, phía tây xã Hồng Ca, Trấn Yên
hướng Hồng Ca, Trấn Yên
trên đường đến xã Hồng Ca
trên đường từ TP Yên Bái lên xã Hồng Ca, Trấn Yên
sang xã Hồng Ca
lối vào xã Nà Hẩu, Văn Yên
bên kia xã Nà Hẩu, Văn Yên
ngoài xã Nà Hẩu
quanh xã Nà Hẩu, huyện Văn Yên
near Ta Phin village, Sa Pa
near Ta Phin commune
between Ta Van commune and Ban Ho commune
halfway from Sa Pa to Ta Van
Ta Van - Ban Ho road, Sa Pa
road from Ta Van to Ban Ho
Ta Van and Ban Ho communes
các xã Y Tý, A Mú Sung, Trịnh Tường
2 xã Y Tý và Trịnh Tường, Bát Xát
xã Y Tý hoặc xã Trịnh Tường
xã Y Tý/xã Trịnh Tường, Bát Xát
Y Tý, Trịnh Tường, Bát Xát, Lào Cai
Y Tý + Trịnh Tường, Bát Xát
thung lũng Bắc Hà, Lào Cai
thung lũng Mường Lò, Nghĩa Lộ
núi Hàm Rồng, Sa Pa
đèo Ô Quy Hồ, Sa Pa
chợ phiên Cán Cấu, Si Ma Cai
dãy Hoàng Liên Sơn
tỉnh Hoàng Liên Sơn
thị xã Lào Cai, tỉnh Hoàng Liên Sơn
ga cáp treo Fansipan, Sa Pa
xã Tân Tiến, huyện Văn Bàn
xã Minh Hòa, Bảo Yên
xã Tân Thịnh, tỉnh Yên Bái
Trạm Tấu, Yên Bái
Yên Bình
Bảo Yên
Văn Bàn, Lào Cai
Si Ma Cai
trung tâm thị xã Nghĩa Lộ
giua phuong kim tan va phuong bac cuong
gan xa ta van, sa pa
canh xa ban ho sa pa
tu xa ta van den xa ban ho, sa pa
duong tu Bat Xat di Y Ty, Lao Cai
duong y ty - muong hum, bat xat
xa y ty di xa muong hum, bat xat
sạt lở tuyến đường vào xã Phìn Ngan, Bát Xát
tại khu vực giáp ranh hai xã Tân Dương, Xuân Hòa (Bảo Yên)
xã Vĩnh Yên đi Nghĩa Đô, Bảo Yên
giáp xã Tả Van, xã Bản Hồ, Sa Pa
nơi tiếp giáp giữa phường Pom Hán, phường Bắc Lệnh, TP Lào Cai
cầu nối phường Cốc Lếu và phường Phố Mới, TP Lào Cai
cầu Cốc Lếu, nối phường Cốc Lếu với phường Phố Mới
tuyến xe buýt Lào Cai - Sa Pa
tuyến xe khách Phố Lu - Bắc Hà
chuyến xe Bảo Hà đi Tân An
sông Hồng đoạn từ Trịnh Tường đến A Mú Sung
suối chảy giữa xã Tả Phời và phường Bình Minh
xã Tả Phời & phường Bình Minh, TP Lào Cai
xã Tả Phời và một phần phường Bình Minh
giữa xã Tả Phời và xã Hợp Thành
lân cận xã Nậm Đét, Bắc Hà
vùng phụ cận xã Nậm Đét, Bắc Hà
xung quanh thị trấn Phố Ràng
cạnh chợ xã Kim Sơn, Bảo Yên
đỉnh dốc giáp xã Kim Sơn, Bảo Yên
khoảng giữa Phố Ràng và Nghĩa Đô
QL279 Phố Ràng - Nghĩa Đô, Bảo Yên
DT 153 Bao Nhai - Nam Luc, Bac Ha
thượng nguồn suối Quyền, Văn Chấn
đường từ xã Nậm Xây, Văn Bàn sang Nậm Có, Mù Cang Chải
từ Văn Bàn sang Mù Cang Chải
from Nam Xe to Nam Co
opposite Y Ty commune, Bat Xat
Ta Phin & Ban Khoang, Sa Pa
Ta Phin/Ban Khoang, Sa Pa
Tả Phìn; Bản Khoang; Sa Pa
Tả Phìn với Bản Khoang, Sa Pa
thôn Tả Phìn và thôn Bản Khoang, Sa Pa
giữa xã Tú Lệ (Văn Chấn) và xã Nậm Có (Mù Cang Chải)
đèo Khau Phạ nối Tú Lệ với Nậm Có
hồ Thác Bà
xã Đại Sơn và xã Mỏ Vàng, Văn Yên
Đại Sơn, Mỏ Vàng, Văn Yên
xã Đại Sơn, Mỏ Vàng, Văn Yên
lên Nậm Chày, Văn Bàn
cách UBND xã Nậm Chày 500 m, thôn Lán Bò, Văn Bàn
phường Kim Tân 300m
chuyển về phường Kim Tân, TP Lào Cai
nay chuyển về phường Kim Tân
Phường 3, TP Lào Cai
Thanh niên xung phong, Sa Pa
Minh Quang, Văn Yên
phố Tân An, Nghĩa Lộ
bến xe Bắc Hà, Lào Cai
Đại lộ Trần Hưng Đạo - Nam Cường - Lào Cai
cửa khẩu Mường Khương
sạt lở trên tuyến ĐT 156B xã Bản Vược - xã Cốc Mỳ
QL4 Mường Khương - Pha Long
đường tuần tra biên giới A Mú Sung - Y Tý
thị trấn huyện lỵ Bát Xát
huyện lỵ Phố Ràng
Mường Khương cũ
HKTT: thôn Ná Rin, xã Mường Vi, huyện Bát Xát; chỗ ở: phường Kim Tân, TP Lào Cai
quê quán xã Mường Vi, Bát Xát; tạm trú phường Cốc Lếu, Lào Cai
đi từ nhà ở xã Mường Vi đến bệnh viện huyện Bát Xát
Sín Chéng, Cán Cấu, Si Ma Cai
Sapa
Sa Pa Town, Lao Cai Province
Nghia Lo town, Yen Bai
between Bac Ha and Si Ma Cai
the road between Y Ty and Muong Hum
on the way to Y Ty, Bat Xat
outside Bac Ha town, Lao Cai
Lùng Phình đi Lùng Thẩn, Bắc Hà
tuyến Bắc Hà - Bản Liền
từ ngã ba xã Xuân Quang đi Phố Lu, Bảo Thắng
ngã ba Xuân Quang, Bảo Thắng
từ xã Mường Hum đến thôn Dao xã Mường Vi, Bát Xát
từ xã Tả Van, Sa Pa đến xã Bản Hồ
"""

ABROAD = """
xã Thanh Bình, huyện Chương Mỹ, Hà Nội
xã Phúc Khánh, huyện Hưng Hà, tỉnh Thái Bình
xã Phúc Khánh, Hưng Hà
phường Tân An, TP Tân An, Long An
quận Phú Nhuận, TP HCM
xã Bản Lang, Phong Thổ, Lai Châu
Vĩnh Yên, Vĩnh Phúc
phường Sa Pa, Hà Nội
tỉnh Khánh Hòa
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


def code(resolver: AddressResolver, text: str, day: date | None = None) -> str:
    commune = resolver.resolve(text, day=day).commune
    return commune.code if commune else ""


@pytest.mark.parametrize("line", [*lines(READ), *lines(READ_BESIDE)])
def test_what_is_clear_is_read(resolver: AddressResolver, line: str) -> None:
    text, _, expected = line.rpartition("|")
    assert code(resolver, text) == expected


@pytest.mark.parametrize("text", [*lines(NOT_READ), *lines(NEIGHBOURS)])
def test_what_is_not_clear_is_not_answered(resolver: AddressResolver, text: str) -> None:
    match = resolver.resolve(text)
    assert match.commune is None
    assert match.confidence == 0
    assert " / " in match.why


@pytest.mark.parametrize("text", lines(ABROAD))
def test_what_lies_in_another_province_says_so(resolver: AddressResolver, text: str) -> None:
    match = resolver.resolve(text)
    assert match.commune is None
    assert "ngoài tỉnh" in match.why and "outside the province" in match.why


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_the_form_of_unicode_does_not_matter(resolver: AddressResolver, form: str) -> None:
    for line in lines(READ):
        text, _, expected = line.rpartition("|")
        assert code(resolver, unicodedata.normalize(form, text)) == expected  # type: ignore[arg-type]


def test_invisible_and_look_alike_characters_do_not_matter(resolver: AddressResolver) -> None:
    assert code(resolver, "x\u00e3\u200b T\u1ea3\u00a0Van, Sa P\u0430") == "03037"  # Cyrillic а
    assert code(resolver, "xã Ðiện Quan, Bảo Yên") == "02968"  # the Icelandic letter


@pytest.mark.parametrize("text", ["", "   ", ",,,", "123", "\n\t", "📍", "xã", "P.", "a" * 5_000])
def test_text_without_a_place_is_not_answered(resolver: AddressResolver, text: str) -> None:
    assert resolver.resolve(text).to_dict()["commune"] is None


def test_a_day_before_the_reform_settles_what_the_era_leaves_open(
    resolver: AddressResolver,
) -> None:
    text = "phường Trung Tâm, tỉnh Yên Bái"
    assert code(resolver, "phường Nam Cường, Lào Cai", date(2026, 1, 1)) == ""
    match = resolver.resolve(text, day=date(2024, 9, 10))
    assert match.unit_then is not None
    assert match.unit_then.full_name == "Phường Trung Tâm"
    assert match.unit_then.valid_to == date(2025, 7, 1)


def test_the_answer_has_the_promised_shape(resolver: AddressResolver) -> None:
    answer = resolver.resolve("xã Quang Kim, huyện Bát Xát").to_dict()
    assert list(answer) == [
        "commune", "era", "confidence", "precision_m", "lon", "lat", "cell", "matched",
        "candidates", "why",
    ]  # fmt: skip
    assert answer["commune"] == {"code": "02683", "name": "Xã Bát Xát"}
    assert answer["era"] == "old"
    assert answer["cell"] is None
    assert 1_000 < answer["precision_m"] < 10_000
    assert "nay thuộc Xã Bát Xát" in answer["why"]
    silent = resolver.resolve("xã Thanh Bình, tỉnh Lào Cai").to_dict()
    assert silent["commune"] is None
    assert {c["code"] for c in silent["candidates"]} == {"02761", "03046"}
    assert all(set(c) == {"code", "name", "why"} for c in silent["candidates"])


def test_an_old_and_a_new_reading_with_one_end_are_distinguished_by_era(
    resolver: AddressResolver,
) -> None:
    assert resolver.resolve("xã Phúc Khánh, tỉnh Lào Cai").era == "either"
    assert resolver.resolve("xã Phúc Khánh, huyện Bảo Yên").era == "old"
    assert resolver.resolve("Xã Hạnh Phúc, tỉnh Lào Cai").era == "new"


def test_confidence_grows_with_what_the_text_says(resolver: AddressResolver) -> None:
    texts = ["Tả Phìn, Lào Cai", "xã Tả Phìn, Lào Cai", "xã Tả Phìn, Sa Pa, Lào Cai"]
    found = [resolver.resolve(text).confidence for text in texts]
    assert found == sorted(found) and len(set(found)) == 3
    misspelt = resolver.resolve("xã Tả Phìm, Sa Pa, Lào Cai").confidence
    assert misspelt < found[-1]


def test_a_name_that_is_a_district_s_too_is_answered_with_doubt(resolver: AddressResolver) -> None:
    for text in ("sa pa, sa pa", "Sa Pa, thị xã Sa Pa", "Bát Xát, Lào Cai"):
        match = resolver.resolve(text)
        assert match.commune is not None and match.confidence < 0.7, text
    assert {"02683", "02701", "02746"} <= {c.code for c in match.candidates}


def test_a_split_ward_of_another_province_is_not_guessed() -> None:
    history = package_history("01")
    split = next(change for change in history.changes if change.estimated)
    parts = {change.new for change in history.changes if change.old == split.old}
    ward = next(u for u in history.units if u.code == split.old and u.valid_to)
    district = next(u for u in history.units if u.code == ward.parent)
    resolver = AddressResolver(history)
    match = resolver.resolve(f"{ward.full_name}, {district.full_name}, Thành phố Hà Nội")
    assert match.commune is None
    assert parts <= {candidate.code for candidate in match.candidates}


def test_the_examples_of_the_how_to_are_true(resolver: AddressResolver) -> None:
    page = Path(__file__).parents[3] / "docs" / "how-to" / "addresses.md"
    text = page.read_text("utf-8")
    rows = re.findall(r"^\| ([^|]+) \| (\d{5}|–) \|$", text, re.MULTILINE)
    assert len(rows) == 17
    for address, expected in rows:
        assert code(resolver, address) == expected.strip("–"), address
    (shown,) = re.findall(r"^\{.*?\}$", text, re.MULTILINE | re.DOTALL)
    answer = resolver.resolve("xã Quang Kim, huyện Bát Xát, tỉnh Lào Cai").to_dict()
    assert json.loads(shown) == answer


@pytest.fixture(scope="module")
def renamed(history: UnitHistory) -> AddressResolver:
    """A resolver after one more reform: Xã Si Ma Cai became a ward with another name."""
    day = date(2026, 4, 30)
    was = next(u for u in history.units if u.code == "02809" and u.valid_to is None)
    now = replace(was, name="Cán Mới", full_name="Phường Cán Mới", kind="Phường", valid_from=day)
    units = [unit for unit in history.units if unit is not was]
    changes = (*history.changes, UnitChange("02809", "02809", day))
    return AddressResolver(UnitHistory((*units, replace(was, valid_to=day), now), changes))


def test_a_later_change_is_followed_from_every_name_before_it(renamed: AddressResolver) -> None:
    for text in (
        "thị trấn Si Ma Cai, huyện Si Ma Cai",
        "xã Si Ma Cai, tỉnh Lào Cai",
        "xã Cán Cấu, Si Ma Cai",
        "phường Cán Mới, tỉnh Lào Cai",
    ):
        commune = renamed.resolve(text).commune
        assert commune is not None and commune.full_name == "Phường Cán Mới", text


def test_the_unit_of_a_day_between_two_reforms_is_the_one_of_that_day(
    renamed: AddressResolver,
) -> None:
    match = renamed.resolve("xã Si Ma Cai, tỉnh Lào Cai", day=date(2025, 9, 1))
    assert match.unit_then is not None and match.commune is not None
    assert (match.unit_then.full_name, match.commune.full_name) == (
        "Xã Si Ma Cai",
        "Phường Cán Mới",
    )


def test_a_unit_whose_end_led_nowhere_known_is_not_answered(history: UnitHistory) -> None:
    changes = tuple(change for change in history.changes if change.old != "02734")
    lost = AddressResolver(UnitHistory(history.units, changes))
    assert lost.resolve("xã Quang Kim, huyện Bát Xát").commune is None
